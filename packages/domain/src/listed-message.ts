/** One row of Twilio's list of messages, as far as it tells whose it is and what became of it. Never the text itself, only its hash. */
export interface ListedMessage {
  messageSid: string;
  /** Twilio's own word. */
  rawStatus: string;
  errorCode: number | null;
  /** SHA-256 of the text in hex; null when there is none. */
  contentSha256: string | null;
  /** Null until a Messaging Service has chosen a sender. */
  from: string | null;
  messagingServiceSid: string | null;
  /** Twilio's clock, in whole seconds. */
  createdAt: Date;
  direction: string;
}
