import { createHash } from 'node:crypto';
import type { Candidate, CandidateProcess, Setting } from '../../harness/candidate.ts';
import { ACCOUNT_SID, AUTH_TOKEN, PUBLIC_BASE_URL, SENDER } from './make-callbacks.ts';

const TITLE = 'Tickmark';
const TUNING = 'as delivered: one ingress and one worker, every setting its default';

export const tickmarkIngress: Candidate = {
  name: 'tickmark',
  title: TITLE,
  durability: 'Redis, on disk (AOF always)',
  tuning: TUNING,
  processes: (setting) => [ingress(setting)],
};

export const tickmark: Candidate = {
  ...tickmarkIngress,
  processes: (setting) => [ingress(setting), worker(setting)],
};

function ingress(setting: Setting): CandidateProcess {
  const [healthPort] = setting.healthPorts;
  return { name: 'ingress', entry: 'apps/ingress/src/main.ts', env: environment(setting, healthPort), healthPort };
}

function worker(setting: Setting): CandidateProcess {
  const [, healthPort] = setting.healthPorts;
  return { name: 'worker', entry: 'apps/worker/src/main.ts', env: environment(setting, healthPort), healthPort };
}

function environment({ databaseUrl, redisUrl, port, folder }: Setting, metricsPort: number): Record<string, string> {
  return {
    TWILIO_MODE: 'simulator',
    // Nobody listens there: no message is sent.
    TWILIO_BASE_URL: 'http://127.0.0.1:9',
    TWILIO_ACCOUNT_SID: ACCOUNT_SID,
    TWILIO_API_KEY_SID: ACCOUNT_SID.replace('AC', 'SK'),
    TWILIO_API_KEY_SECRET: AUTH_TOKEN,
    TWILIO_AUTH_TOKEN: AUTH_TOKEN,
    TWILIO_SENDERS: `bench@${SENDER}=80`,
    API_KEYS: `bench:${createHash('sha256').update(AUTH_TOKEN).digest('hex')}`,
    PUBLIC_BASE_URL,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    SPOOL_DIR: `${folder}/spool`,
    LISTEN_HOST: '127.0.0.1',
    INGRESS_PORT: String(port),
    METRICS_PORT: String(metricsPort),
  };
}
