import type { Authenticator, HttpServer } from '@tickmark/http';
import type { AskForTaskDeps } from '../ask-for-task.ts';
import { addPolicyRoutes } from './policies.ts';
import { addResolveMessageRoute } from './resolve-message.ts';
import { addRetryMessageRoute } from './retry-message.ts';
import { addRetryMessagesRoute } from './retry-messages.ts';

/** What operators change about messages: retries, decisions, policies, releases. */
export function addActionRoutes(server: HttpServer, options: AskForTaskDeps & { authenticator: Authenticator }): void {
  addRetryMessagesRoute(server, options);
  addRetryMessageRoute(server, options);
  addResolveMessageRoute(server, options);
  addPolicyRoutes(server, options);
}
