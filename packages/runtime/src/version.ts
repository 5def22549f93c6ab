/** The version of this release: that of the root package.json, repeated here so that importing reads no file. */
export const VERSION = '0.1.0';
