// Sends from a program of your own, without HTTP: the same validation, ids and queues as POST /v1/messages.
//
// With a worker and the simulator running (README, "Run the parts alone"):
//   node --conditions=@tickmark/source --import tsx --import ./scripts/load-env.mjs examples/in-process-producer.ts +14155550100
import { AppError, parseSenders } from '@tickmark/domain';
import { createMessageProducer } from '@tickmark/queues';
import { createLogger } from '@tickmark/runtime';

const { REDIS_URL = 'redis://127.0.0.1:6379', QUEUE_PREFIX = 'tickmark', TWILIO_SENDERS = '' } = process.env;
const [to = '+14155550100'] = process.argv.slice(2);

const producer = createMessageProducer({
  redisUrl: REDIS_URL,
  base: QUEUE_PREFIX,
  // Your program's name, as an API key has one: its idempotency keys are its own.
  producer: 'billing',
  senders: parseSenders(TWILIO_SENDERS),
  mode: 'simulator',
  log: createLogger({ process: 'billing', level: 'warn' }),
});
const invoice = { contentSid: 'HX00000000000000000000000000000001', contentVariables: { 1: 'Ada' } };

try {
  // The order's number as the key: however often this runs, the message is sent once.
  const sent = await producer.send({ to, ...invoice, priority: 'transactional' }, { idempotencyKey: 'invoice-4711' });
  console.log(`${sent.id} ${sent.status}${sent.replayed ? ' (was accepted before)' : ''}`);

  const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
  const batch = await producer.sendBatch([
    { to, ...invoice, campaign: 'reminders', sendAt: inAnHour },
    { to: 'nobody', ...invoice },
  ]);
  for (const result of batch.results) {
    if ('error' in result) console.log(`item ${result.index} refused: ${result.error.message}`);
    else console.log(`${result.id} ${result.status}, then ${await producer.cancel(result.id)}`);
  }
} catch (error) {
  if (!(error instanceof AppError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
} finally {
  await producer.close();
}
