/** What a message's sid may look like. Twilio's are SM or MM and 32 hex; another prefix must not turn every send into an unknown. */
export const MESSAGE_SID = /^[A-Za-z0-9]{2,64}$/;
