export { hasTooManyParameters, parseForm, type FormParams } from './form.ts';
export { parseInbound, type InboundParseResult } from './inbound.ts';
export { createMessageLister, type ListAnswer, type MessageLister, type MessageListerOptions } from './list-messages.ts';
export { createMessageRedactor, type MessageRedactor } from './redact-message.ts';
export { createMessagesClient, type MessagesClient, type MessagesClientOptions } from './send-message.ts';
export { signRequest, verifySignature, type SignatureCheck } from './signature.ts';
export {
  buildStatusCallbackUrl,
  parseStatusCallback,
  webhookUrl,
  DEFAULT_STATUS_CALLBACK_OVERRIDES,
  type StatusCallbackParseResult,
} from './status-callback.ts';
