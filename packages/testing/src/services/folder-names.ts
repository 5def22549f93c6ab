/** Folders in the system's temp folder that a host uses while it lives. */
export const TEMP_PREFIX = 'tickmark-services-';
/** Folders there with the persistent data of clones that PostgreSQL's user cannot reach. */
export const HOME_PREFIX = 'tickmark-data-';
/** In both, and in a data folder: who uses it. */
export const LOCK_FILE = 'services.lock';
/** In a data folder: where its data live, when it is not there. */
export const LOCATION_FILE = 'location';
/** In such a place: the data folder that it belongs to. */
export const OWNER_FILE = 'owner';
/** In the temp folder of a host with persistent data: what it works on, a `PersistentData`. */
export const PERSISTENT_FILE = 'persistent.json';

export interface PersistentData {
  dataDir: string;
  /** The folders that the servers work in. */
  folders: string[];
}
