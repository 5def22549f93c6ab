import type { Logger } from '@tickmark/runtime';
const nothing = () => {};
export const silentLog = { info: nothing, warn: nothing, error: console.error, debug: nothing } as unknown as Logger;
