import type { Sender } from '@tickmark/domain';
import type { Clock, Logger } from '@tickmark/runtime';
import { createApiGuard, type ApiGuard, type Credentials } from './api-guard.ts';
import { createCallbackSender } from './callback-sender.ts';
import { createCallbackTargets } from './callback-targets.ts';
import { createContacts } from './contacts.ts';
import { createMessageCreator } from './create-message.ts';
import { createFaults } from './faults.ts';
import { receiveInbound, type InboundRequest } from './inbound.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createLifecycle } from './lifecycle.ts';
import type { MessageActionsDeps } from './message-actions.ts';
import { createMessageStore } from './message-store.ts';
import { createSenderDirectory } from './sender-directory.ts';
import { createSenderPace } from './sender-pace.ts';
import type { Settings } from './settings.ts';

export interface SimulatorOptions {
  credentials: Credentials;
  /** Empty = every sender is known. */
  senders: readonly Sender[];
  /** Where inbound messages go, and the one host besides loopback that is called. */
  publicBaseUrl: string;
  settings: Settings;
  clock: Clock;
  log: Logger;
}

/** The simulated Twilio without its HTTP: state and behaviour. Everything is in memory and gone with the process. */
export interface Simulator {
  guard: ApiGuard;
  create: ReturnType<typeof createMessageCreator>;
  actions: MessageActionsDeps;
  ledger: Ledger;
  settings: () => Settings;
  /** Takes other settings; what they count begins again. Messages on their way keep their plan. */
  replaceSettings(settings: Settings): void;
  /** @returns the sid of the inbound message. */
  receiveInbound(request: InboundRequest): string;
  close(): void;
}

export function createSimulator(options: SimulatorOptions): Simulator {
  const { credentials, publicBaseUrl, clock, log } = options;
  const { accountSid } = credentials;
  let { settings } = options;
  const currentSettings = () => settings;
  const nowMs = () => clock.now().getTime();
  const senders = createSenderDirectory(options.senders);
  const contacts = createContacts();
  const store = createMessageStore();
  const ledger = createLedger();
  const faults = createFaults(currentSettings);
  const pace = createSenderPace(currentSettings);
  const sender = createCallbackSender({ authToken: credentials.authToken, log });
  const lifecycle = createLifecycle({
    accountSid,
    sender,
    ledger,
    chooseSender: ({ messagingServiceSid, to }) => (messagingServiceSid === null ? null : senders.addressFor(messagingServiceSid, to)),
    nowMs,
  });
  const targets = createCallbackTargets(publicBaseUrl);
  return {
    guard: createApiGuard(credentials, currentSettings),
    create: createMessageCreator({
      accountSid,
      senders,
      targets,
      settings: currentSettings,
      faults,
      pace,
      contacts,
      store,
      lifecycle,
      ledger,
      nowMs,
    }),
    actions: { accountSid, store, lifecycle, nowMs },
    ledger,
    settings: currentSettings,
    replaceSettings: (next) => {
      settings = next;
      faults.restart();
      pace.clear();
    },
    receiveInbound: (request) => receiveInbound(request, { accountSid, publicBaseUrl, senders, contacts, store, sender, nowMs }),
    close: () => {
      lifecycle.close();
      sender.close();
    },
  };
}
