/** A refusal as Twilio words it. `more_info` follows from the code. */
export interface TwilioRefusal {
  code: number;
  status: number;
  message: string;
}

/**
 * Codes that answer a request at once. HTTP statuses and words follow Twilio's error dictionary and captured answers; those of 20009, 21701
 * and 30409 are not documented and were chosen by analogy (409 for a state in the way).
 */
const REFUSALS: Readonly<Record<number, readonly [status: number, message: string]>> = {
  20001: [400, 'Unknown parameters'],
  20003: [401, 'Authenticate'],
  20009: [409, 'Cannot delete this resource before it is complete'],
  20404: [404, 'The requested resource was not found'],
  20429: [429, 'Too Many Requests'],
  20500: [500, 'Internal Server Error'],
  20503: [503, 'Service unavailable'],
  21211: [400, "Invalid 'To' Phone Number"],
  21212: [400, "Invalid 'From' Number"],
  21408: [400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number"],
  21603: [400, "A 'From' or 'MessagingServiceSid' parameter is required to send a message"],
  21604: [400, "A 'To' phone number is required."],
  21609: [400, "Invalid 'StatusCallback'"],
  21610: [400, 'Attempt to send to unsubscribed recipient'],
  21611: [400, "This 'From' number has exceeded the maximum number of queued messages"],
  21612: [400, "Message cannot be sent with the current combination of 'To' and/or 'From' parameters"],
  21614: [400, "'To' number is not a valid mobile number"],
  21617: [400, 'The concatenated message body exceeds the 1600 character limit'],
  21619: [400, 'A Message Body, Media URL or Content SID is required'],
  21620: [400, 'Invalid media URL(s)'],
  21623: [400, 'Number of media files exceeds allowed limit'],
  21624: [400, 'Invalid validity period value'],
  21654: [400, 'ContentSid Required'],
  21655: [400, 'The ContentSid is Invalid'],
  21656: [400, 'The ContentVariables Parameter is invalid'],
  21701: [400, 'The Messaging Service does not exist'],
  21703: [400, 'The Messaging Service does not have a phone number available to send a message'],
  21705: [400, 'The Messaging Service is invalid'],
  21910: [400, "'From' and 'To' addresses should be of the same channel"],
  30400: [400, 'Parameters are not valid'],
  30409: [409, 'This message cannot be canceled'],
  35111: [400, 'SendAt timestamp is missing'],
  35114: [400, 'Scheduling does not support this timestamp'],
  35118: [400, 'MessagingServiceSid is required to schedule a message'],
  35126: [400, 'The ScheduleType value provided is not supported for this channel'],
  35127: [400, "'Messages' Body and ContentVariables cannot be provided together"],
  63007: [400, 'Twilio could not find a Channel with the specified From address'],
  63031: [400, "Channels message cannot have same 'From' and 'To'"],
};

/** The refusal with this code; one that is not in the table answers 400. `detail` replaces Twilio's general words. */
export function refusalOf(code: number, detail?: string): TwilioRefusal {
  const [status, message] = REFUSALS[code] ?? [400, 'Invalid Parameter'];
  return { code, status, message: detail ?? message };
}

/** The JSON body of a refusal. */
export function refusalBody({ code, status, message }: TwilioRefusal): string {
  return JSON.stringify({ code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status });
}
