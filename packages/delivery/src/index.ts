export { createArchive, type Archive } from './archive/archive.ts';
export { adoptByOperator, type OperatorAdoption } from './adopt-by-operator.ts';
export { adoptListed, type ListVerdict, type PairSearched } from './adopt-listed.ts';
export { applyStatuses, type StatusApplied } from './apply-statuses.ts';
export { awaitStopEffective, type StopEffective } from './await-stop-effective.ts';
export { cancelMessages, type CancelAnswer, type CancelRequest } from './cancel-messages.ts';
export { cancelRetries } from './cancel-retries.ts';
export { checkDatabase, type DatabaseCheck } from './check-database.ts';
export { chooseRetries, type RetryChoice } from './choose-retries.ts';
export { claimForSending, type Claim, type ClaimAnswer, type ClaimRules } from './claim-for-sending.ts';
export type { WindowGuard } from './claim-verdict.ts';
export { endBreakerSoon, openBreaker, takeProbe, type BreakerPause, type OpenBreaker } from './breakers.ts';
export {
  cleanupOldMessages,
  type CleanupDeps,
  type CleanupDone,
  type CleanupInput,
  type CleanupResult,
} from './retention/cleanup-old-messages.ts';
export { classifyDatabaseError, isStatementTimeout, type DatabaseErrorClass } from './database-errors.ts';
export { closeUnknown } from './close-unknown.ts';
export { compareListed, isFurther, type ListedComparison } from './compare-listed.ts';
export { countUnknown } from './count-unknown.ts';
export type { MessageSummary, ShownError } from './describe-message.ts';
export { createDatabase, type Database, type DatabaseOptions } from './database.ts';
export {
  deleteRequestedLetter,
  discardDeadLetters,
  findRequestedLetters,
  listDeadLetters,
  refuseRetry,
  requestRetry,
  type DeadLetterChoice,
  type DeadLetterShown,
} from './dead-letters.ts';
export { deleteCancelRequests, deleteEndedStops } from './delete-leftovers.ts';
export { expireOverdue } from './expire-overdue.ts';
export { foldDeliveryMetrics } from './fold-delivery-metrics.ts';
export { findControl, type ControlMessage } from './find-control.ts';
export { findMessageId } from './find-message.ts';
export { findToldStatuses, type ToldMessage } from './find-told-statuses.ts';
export { findUnknown, type DueUnknown, type UnknownPair } from './find-unknown.ts';
export { findWaiting, type WaitingCursor, type WaitingMessage } from './find-waiting.ts';
export { getErrorDescription } from './get-error-description.ts';
export {
  getMessageDeliveryStatus,
  type MessageContent,
  type MessageDeliveryStatus,
  type MessageDeliveryStatusDeps,
} from './get-message-delivery-status.ts';
export { getPhoneDeliveryMetrics, type PhoneDeliveryMetricsInput, type PhoneMetrics } from './get-phone-delivery-metrics.ts';
export { getPlatformDeliveryMetrics, type PlatformDeliveryMetricsInput } from './get-platform-delivery-metrics.ts';
export { getReceiptCompleteness, type ReceiptCompletenessInput } from './get-receipt-completeness.ts';
export { findNotHandedOver, markHandedOver } from './hand-over-inbound.ts';
export { insertAccepted, type InsertedMessage } from './insert-accepted.ts';
export { insertDeadLetter, type DeadLetter } from './insert-dead-letter.ts';
export { listMessages, type ListMessagesInput, type MessagePage, type MessagePosition } from './list-messages.ts';
export { noteListProgress, readListProgress, type ListProgress } from './list-progress.ts';
export { getUnknown, listUnknown, type UnknownMessage } from './list-unknown.ts';
export { markStaleSending } from './mark-stale-sending.ts';
export { measureClockSkew, type ClockSkew } from './measure-clock-skew.ts';
export type { MessageFilter } from './message-filter.ts';
export type { TimelineEntry } from './message-timeline.ts';
export { insertRetries, type FailedMessage, type InsertedRetry } from './insert-retries.ts';
export { countHeld, deleteErrorPolicy, listErrorPolicies, setErrorPolicy, type ErrorPolicy } from './error-policies.ts';
export type { MetricsAnswer, MetricsRangeInput } from './metrics-range.ts';
export { migrateDatabase } from './migrate-database.ts';
export { findDuePolls, noteUnfinished, postponePoll, settlePoll, type DuePoll } from './receipt-polls.ts';
export { readSenderCompleteness } from './read-sender-completeness.ts';
export { recordInbound, type InboundRecorded } from './record-inbound.ts';
export {
  changeSuppressions,
  listSuppressions,
  suppressionEvents,
  type Suppression,
  type SuppressionPosition,
} from './operator-suppressions.ts';
export { rebuildDeliveryMetrics, type RebuildRange } from './rebuild-delivery-metrics.ts';
export { forgetPhone, refreshPhonePerformance } from './refresh-phone-performance.ts';
export { recordFailedLooks, recordLooks, type Look } from './record-looks.ts';
export { recordMessageStatus } from './record-message-status.ts';
export { recordOutcome, type RecordAnswer } from './record-outcome.ts';
export type { OutcomeRecord } from './record-rows.ts';
export { noteEpoch, readKnownEpoch, type KnownEpoch } from './redis-epoch.ts';
export { recordSuppressions, type SuppressionEvent } from './record-suppressions.ts';
export { releaseClaim, type ReleaseAnswer } from './release-claim.ts';
export { findHeld, releaseHeld, type HeldReleased, type ReleaseHeldInput } from './release-held.ts';
export { ABSENCES_MIN, resendUnknown, type ResentMessage } from './resend-unknown.ts';
export { eraseFromArchives, searchArchives } from './retention/erase-archives.ts';
export {
  auditErasure,
  cancelForPerson,
  erasePersonRows,
  findPerson,
  isOwnSender,
  listSids,
  type PersonRows,
} from './retention/erase-person.ts';
export { findArchivesElsewhere } from './retention/known-archive.ts';
export { readPerson, type Person } from './retention/person.ts';
export { findWaitingQuotes, scrubTables, searchTables } from './retention/search-tables.ts';
export { ArchiveDamagedError } from './archive/archive-manifest.ts';
export { RETENTION_LOCK } from './retention/cleanup-old-messages.ts';
export { restoreArchive, type RestoreAnswer, type RestoreInput } from './retention/restore-archive.ts';
export {
  retryFailedMessages,
  type RetriedMessage,
  type RetryFailedDeps,
  type RetryFailedInput,
  type RetryFailedResult,
} from './retry-failed-messages.ts';
export { RETRY_SKIPS, type RetrySkip } from './judge-retries.ts';
export { refuseDecision, resolveUnknown, type DecisionRefusal, type UnknownDecision } from './resolve-unknown.ts';
export { listSenders, seedSenders, type SenderRow } from './seed-senders.ts';
export { changeSender, type SenderChange } from './change-sender.ts';
export { endStop, listStops, openStop, type EndStop, type OpenStop, type SendStop, type StopTarget } from './send-stops.ts';
export {
  createTask,
  failTask,
  findOpenTasks,
  finishTask,
  getTask,
  noteTaskProgress,
  startTask,
  TASK_KINDS,
  type Task,
  type TaskKind,
  type TaskProgress,
} from './tasks.ts';
export { unparkMessages, type ParkedCursor } from './unpark-messages.ts';
export { withAdvisoryLock, type AdvisoryLockResult } from './with-advisory-lock.ts';
