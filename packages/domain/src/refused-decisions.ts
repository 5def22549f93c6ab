/** Why a decision about a message of unknown outcome cannot be carried out, in words that say what to do next. */
export const REFUSED_DECISIONS = {
  not_found: 'There is no message of this id: check it.',
  not_unknown: 'The outcome of this message is not unknown any more, or another call was made since: look at the message again.',
  too_young: 'The call is less than five minutes old, and its outcome may still come by itself: try again later.',
  not_absent:
    'It is not proven yet that Twilio has no such message, and a resend could reach the person twice: wait for the reconciler, adopt a SID or close it.',
  taken: 'This SID is that of another message: look that one up by its SID, and check the SID.',
  sending:
    'Another message of the same sender to the same person is being sent right now, and the SID might be its own: try again in a minute.',
} as const;
