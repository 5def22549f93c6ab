// Receives what people wrote to your senders, and answers while their customer-service window is open.
//
// With the parts running as the README says under "Run the parts alone" (REDIS_URL and TWILIO_SENDERS are those of .env):
//   node --conditions=@tickmark/source --import tsx --import ./scripts/load-env.mjs examples/inbound-consumer.ts
// and, to write as a person does:
//   curl -d '{"from":"+14155550100","to":"whatsapp:+14155238886","body":"Where is my order?"}' -H 'content-type: application/json' \
//     http://127.0.0.1:4010/_sim/inbound
import { parseSenders } from '@tickmark/domain';
import { createInboundConsumer, createMessageProducer } from '@tickmark/queues';
import { createLogger } from '@tickmark/runtime';

const { REDIS_URL = 'redis://127.0.0.1:6379', QUEUE_PREFIX = 'tickmark', TWILIO_SENDERS = '' } = process.env;
const shared = { redisUrl: REDIS_URL, base: QUEUE_PREFIX, log: createLogger({ process: 'assistant', level: 'warn' }) };

const producer = createMessageProducer({ ...shared, producer: 'assistant', senders: parseSenders(TWILIO_SENDERS), mode: 'simulator' });
const consumer = createInboundConsumer({
  ...shared,
  onMessage: async ({ message, optOut }) => {
    // Whoever asked for no more is not answered, not even with a goodbye.
    if (optOut !== null) return console.log(`${message.messageSid} ${optOut}`);
    const answer = { to: message.from, from: message.to, body: 'Thank you, we will look into it.', category: 'service' } as const;
    // The message may come again: with its sid as the key it is answered once.
    const sent = await producer.send({ ...answer, priority: 'transactional' }, { idempotencyKey: message.messageSid });
    console.log(`${message.messageSid} answered with ${sent.id}`);
  },
});

const stop = async () => {
  await consumer.close(5_000);
  await producer.close();
};
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop());
