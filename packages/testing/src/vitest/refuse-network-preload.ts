// Preloaded into every app that a test starts.
import { refuseNetwork } from './refuse-network.ts';

refuseNetwork();
