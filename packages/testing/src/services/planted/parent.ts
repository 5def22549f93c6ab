// A caller of startServices that a test can kill: see ../services-host.test.ts. Its arguments: the options, and a process to watch.
import { startServices, type StartServicesOptions } from '../start-services.ts';

const [options = '{}', watched] = process.argv.slice(2);
try {
  const services = await startServices(JSON.parse(options) as StartServicesOptions);
  if (watched) services.watch(Number(watched));
  process.on('message', () => void services.stop().then(() => process.disconnect()));
  process.send?.({ databaseUrl: services.databaseUrl, redisUrl: services.redisUrl, pids: services.pids });
} catch (error) {
  process.send?.({ problem: (error as Error).message }, () => process.exit(1));
}
