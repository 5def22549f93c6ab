import type { ErrorTable } from './error-classes.ts';

/** The remaining ranges: account and content templates. */
export const ERRORS_90: ErrorTable = {
  90010: {
    class: 'account',
    retry: 'pause-account',
    meaning: 'The account is not active.',
    cause: 'It ran out of funds or was closed or suspended.',
    remedy: "Top up the account or ask Twilio's support, then resume the account.",
  },
  92005: {
    class: 'template',
    retry: 'never',
    meaning: 'Variables came without a template.',
    cause: 'The request has contentVariables but no contentSid.',
    remedy: 'Add contentSid, or leave the variables out.',
  },
  92006: {
    class: 'template',
    retry: 'never',
    meaning: 'The template id is not valid.',
    cause: 'It is not an existing template of this account.',
    remedy: "Copy the id (HX…) again from Twilio's template list.",
  },
  92007: {
    class: 'template',
    retry: 'never',
    meaning: 'The template variables could not be read.',
    cause: 'They are not an object of strings.',
    remedy: 'Give an object that maps each placeholder to a text.',
  },
  92008: {
    class: 'template',
    retry: 'never',
    meaning: 'The type of this template is no longer supported.',
    cause: 'It was made with a retired type.',
    remedy: 'Create it again with a current type.',
  },
  216602: {
    class: 'template',
    retry: 'never',
    meaning: "The template's type does not work on this channel.",
    cause: 'It was made for another channel than WhatsApp.',
    remedy: 'Use a template type that WhatsApp supports.',
  },
};
