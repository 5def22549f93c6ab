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
  92001: {
    class: 'template',
    retry: 'not-applicable',
    meaning: 'A template was to be created without a type.',
    cause: 'The request to create it lacks its types.',
    remedy: "Create it again in Twilio's Console with at least one type.",
  },
  92002: {
    class: 'template',
    retry: 'not-applicable',
    meaning: 'A template was to be created with too many variables.',
    cause: 'It may have a hundred.',
    remedy: 'Create it again with fewer variables.',
  },
  92003: {
    class: 'template',
    retry: 'not-applicable',
    meaning: 'A template was to be created without a language.',
    cause: 'The request to create it lacks the language.',
    remedy: 'Create it again with a language.',
  },
  92004: {
    class: 'template',
    retry: 'not-applicable',
    meaning: 'A template was to be created in an unknown language.',
    cause: 'The language code is not one of those supported.',
    remedy: 'Create it again with a supported language code.',
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
  92009: {
    class: 'template',
    retry: 'not-applicable',
    meaning: 'The template was submitted for approval already.',
    cause: 'A submitted template cannot be changed or submitted again.',
    remedy: 'Create a new template for any change.',
  },
  216602: {
    class: 'template',
    retry: 'never',
    meaning: "The template's type does not work on this channel.",
    cause: 'It was made for another channel than WhatsApp.',
    remedy: 'Use a template type that WhatsApp supports.',
  },
};
