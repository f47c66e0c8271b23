import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  TimeoutFailure,
  allHandlersFinished,
  condition,
  isCancellation,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { isClosed, openApproval, refusal } from '../../domain/approval/approval.ts';
import type { ApprovalCommand } from '../../domain/approval/approval.ts';
import { describeApproval } from '../../domain/approval/approval-presentation.ts';
import {
  approveUpdate,
  breakGlassUpdate,
  cancelUpdate,
  editUpdate,
  openUpdate,
  personOf,
  refreshSignal,
  rejectUpdate,
  stateQuery,
  withdrawUpdate,
} from './approval.contract.ts';
import type {
  ApprovalActivities,
  ApprovalAnswer,
  ApprovalInput,
  ApprovalNotification,
  ApprovalOutcome,
  ApprovalRecord,
  EditMessage,
  OpenMessage,
  PersonalMessage,
  RecordCommand,
} from './approval.contract.ts';
import { pinnedVersioning } from '../shared/versioning.ts';
import { searchAttributes } from '../shared/search-attributes.ts';
import { databaseUnavailable, isDatabaseUnavailable } from '../shared/database-unavailable.ts';

/**
 * Short database writes while somebody waits for the answer. Local, so that a decision costs one workflow task. Three
 * attempts end within the workflow task and the deadline of the API's call, ten seconds each, so that a decision that was
 * answered with 503 is not written later. Attempts are counted, because the SDK loses a schedule-to-close timeout that
 * falls between two attempts of a local activity.
 */
const interactive = proxyLocalActivities<Pick<ApprovalActivities, 'openApproval' | 'recordApprovalCommand'>>({
  startToCloseTimeout: '2500 milliseconds',
  retry: { initialInterval: '200 milliseconds', maximumAttempts: 3 },
});

/**
 * Asks what became of a write of a person when the attempts above have told nothing: the database may have committed what it
 * could not answer, or what an attempt that was given up has written later. The row of the command decides (ADR 23), so this
 * writes only what is still in time, and answers with what was written before. Nobody waits for it but the next message.
 */
const unanswered = proxyLocalActivities<Pick<ApprovalActivities, 'openApproval' | 'recordApprovalCommand'>>({
  startToCloseTimeout: '4 seconds',
  localRetryThreshold: '3 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '1 second' },
});

/**
 * The same writes when a timer or an operator causes them: nobody waits, so they are retried until the database is back.
 * Pauses beyond the threshold are timers of the server and occupy no worker.
 */
type BackgroundWrites = 'recordApprovalCommand' | 'failApproval' | 'settleOpening' | 'readApproval';
const background = proxyLocalActivities<Pick<ApprovalActivities, BackgroundWrites>>({
  startToCloseTimeout: '4 seconds',
  localRetryThreshold: '3 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '10 minutes' },
});

/**
 * Retried until the execution window ends: an unavailable database must not turn an approved change into a failure.
 */
const execution = proxyActivities<Pick<ApprovalActivities, 'executeApproval'>>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});

/** Notifications are retried for a while, but never hold up the request itself. */
const notification = proxyActivities<Pick<ApprovalActivities, 'announceApproval'>>({
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '10 minutes',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});

/**
 * One approval request, from its opening to its end (S2-59, S2-70). Id `approval/<tenant>/<id>`, started by the update
 * `open`, whose answer is the committed row.
 *
 * The row is the record and the state here is a copy of it. Validators judge messages against the copy without waiting,
 * the activity applies the same rules to the locked row, and the copy adopts what was committed. So a lost workflow task,
 * a repeated local activity or a kill between commit and answer cannot make the two disagree for long: what is not answered
 * is followed by the signal `refresh`. Until then the row is ahead; `approval-decision.service.ts` sends a message again that
 * only the copy refuses.
 *
 * Unless workers are versioned, changes to this file go behind `patched()`; `test/replay` replays recorded histories.
 */
export async function approvalWorkflow(input: ApprovalInput): Promise<ApprovalOutcome> {
  const { approval_id, requester } = input;
  const system = { ...requester, user_id: null, session_id: null };
  let approval = openApproval({ ...input, requested_by: requester.user_id }, Date.now());
  let version = 0;
  let refusedAtOpening: unknown;
  let writing: Promise<unknown> = Promise.resolve();
  let unansweredWrites = 0;
  const announcements: Promise<unknown>[] = [];
  let isEndAnnounced = false;

  setHandler(stateQuery, () => approval);
  setHandler(openUpdate, open);
  setHandler(refreshSignal, refresh);
  setHandler(approveUpdate, decide('approve'), { validator: validate('approve') });
  setHandler(rejectUpdate, decide('reject'), { validator: validate('reject') });
  setHandler(breakGlassUpdate, decide('break-glass'), { validator: validate('break-glass') });
  setHandler(cancelUpdate, (message) => send(cancellation(message), message), {
    validator: (message: PersonalMessage) => assertAllowed(cancellation(message)),
  });
  setHandler(withdrawUpdate, (message) => send(withdrawal(message), message), {
    validator: (message: PersonalMessage) => assertAllowed(withdrawal(message)),
  });
  setHandler(editUpdate, (message) => send(edit(message), message), {
    validator: (message: EditMessage) => assertAllowed(edit(message)),
  });

  try {
    if (input.open_within_ms === undefined) {
      await condition(() => version > 0 || refusedAtOpening !== undefined);
      if (version === 0) throw refusedAtOpening;
    } else if (!(await isOpened(input.open_within_ms))) {
      return { approval_id, status: 'never-opened' };
    }
    await run();
  } catch (error) {
    if (!isCancellation(error)) throw error;
    // An operator has cancelled the workflow: the row must not stay open for ever.
    await CancellationScope.nonCancellable(() => write(() => record({ kind: 'abort' })));
  }
  await CancellationScope.nonCancellable(finish);
  return { approval_id, status: approval.status };

  /** False when nobody has opened it in time, because the update of its start was lost before it was written, or refused. */
  async function isOpened(withinMs: number): Promise<boolean> {
    const isAnswered = () => version > 0 || refusedAtOpening !== undefined;
    await condition(isAnswered, withinMs, { summary: 'Longest wait for the opening' });
    await condition(isIdle);
    if (!isAnswered() && patched('opening-settled')) {
      // The task that has written the row may be lost, and with it the update: the row decides here, too.
      const settled = await background.settleOpening({ actor: system, approval_id });
      if (settled !== null) adopt(settled);
    }
    return version > 0;
  }

  async function run(): Promise<void> {
    announce('opened');
    while (!isClosed(approval.status)) {
      await (approval.status === 'pending' ? waitForDecision() : execute());
    }
    if (!isEndAnnounced) announce(approval.status);
  }

  async function finish(): Promise<void> {
    await Promise.allSettled(announcements);
    await condition(isIdle);
  }

  /** Whether no message is being handled, and the outcome of each write is known. */
  function isIdle(): boolean {
    return allHandlersFinished() && unansweredWrites === 0;
  }

  /** Waits for the next decision or reminder, or the end of the review window, which runs from the opening (S2-70). */
  async function waitForDecision(): Promise<void> {
    const untilDueMs = approval.review_due_at - Date.now();
    if (untilDueMs <= 0) {
      await write(() => record({ kind: 'expire' }));
      return;
    }
    const reminderMs = input.policy.reminder_interval_seconds * 1000;
    const reminds = reminderMs > 0 && reminderMs < untilDueMs;
    const summary = reminds ? 'Next reminder to the approvers' : 'End of the review window';
    const decided = await condition(() => approval.status !== 'pending', reminds ? reminderMs : untilDueMs, {
      summary,
    });
    if (!decided && reminds) announce('reminder');
  }

  /** Executes the change in one activity. Given up when the request is edited or cancelled meanwhile. */
  async function execute(): Promise<void> {
    const { revision, digest, execution_due_at } = approval;
    const untilDueMs = (execution_due_at ?? 0) - Date.now();
    const attempt = { actor: requester, approval_id, revision, digest, occurrence: announcements.length + 1 };
    if (untilDueMs <= 0) {
      await write(() => record({ kind: 'expire' }));
      return;
    }
    const scope = new CancellationScope();
    const executed = scope.run(() =>
      execution.executeApproval.executeWithOptions(
        { scheduleToCloseTimeout: untilDueMs, summary: `Execute ${input.action}` },
        [attempt],
      ),
    );
    const isOvertaken = () => approval.status !== 'approved' || approval.revision !== revision;
    try {
      await Promise.race([executed, condition(isOvertaken)]);
      scope.cancel();
      const result = await executed;
      adopt(result);
      isEndAnnounced = result.is_told === true;
      if (approval.status === 'pending') announce('returned');
    } catch (error) {
      const givenUp = isCancellation(error) && !CancellationScope.current().consideredCancelled;
      if (givenUp) return;
      if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
      if (!isOutOfTime(error)) {
        await write(() => background.failApproval({ ...attempt, ...failureOf(error.cause) }));
        return;
      }
      // Another attempt would have come too late; until the end of the window the request can still be changed.
      const restMs = Math.max((execution_due_at ?? 0) - Date.now(), 1);
      const overtaken = await condition(isOvertaken, restMs, { summary: 'End of the execution window' });
      if (!overtaken) await write(() => record({ kind: 'expire' }));
    }
  }

  function decide(kind: 'approve' | 'reject' | 'break-glass'): (message: PersonalMessage) => Promise<ApprovalAnswer> {
    return (message) => send({ kind, by: personOf(message), digest: message.digest }, message);
  }

  function validate(kind: 'approve' | 'reject' | 'break-glass'): (message: PersonalMessage) => void {
    return (message) => assertAllowed({ kind, by: personOf(message), digest: message.digest });
  }

  /** Synchronous, on the state in memory: the SDK ignores the result of an asynchronous validator. */
  function assertAllowed(command: ApprovalCommand): void {
    const refused = version === 0 ? notOpenYet : refusal(approval, command, Date.now());
    if (refused !== null) throw ApplicationFailure.nonRetryable(refused.detail, refused.code);
  }

  function send(command: RecordCommand['command'], message: PersonalMessage): Promise<ApprovalAnswer> {
    const recorded = () => recordOf(command, message);
    return write(
      () => {
        // Another message may have been recorded since this one was accepted.
        assertAllowed(command);
        return interactive.recordApprovalCommand(recorded());
      },
      message.command_id === undefined ? undefined : () => unanswered.recordApprovalCommand(recorded()),
    );
  }

  function record(command: RecordCommand['command']): Promise<ApprovalRecord> {
    return background.recordApprovalCommand(recordOf(command));
  }

  function recordOf(command: RecordCommand['command'], message?: PersonalMessage): RecordCommand {
    return {
      actor: message?.actor ?? system,
      approval_id,
      command,
      reason: message?.reason ?? null,
      mfa_proof_id: message?.mfa_proof_id ?? null,
      ...(message?.command_id === undefined ? {} : { command_id: message.command_id }),
      at: Date.now(),
    };
  }

  function open(message: OpenMessage): Promise<ApprovalAnswer> {
    const opening = { ...input, ...message, review_due_at: approval.review_due_at };
    return write(
      () => interactive.openApproval(opening),
      message.command_id === undefined ? undefined : () => unanswered.openApproval(opening),
      (error) => (refusedAtOpening = error),
    );
  }

  /**
   * One write at a time, so that messages that were accepted together are judged one after the other. The sender is told of a
   * database that does not answer, and finds the outcome in the row; the copy here learns it from there, too.
   *
   * @param askAgain asks for the outcome of a write that was not answered.
   * @param onRefused called when it is certain that nothing was written.
   */
  function write(
    work: () => Promise<ApprovalRecord>,
    askAgain?: () => Promise<ApprovalRecord>,
    onRefused: (error: unknown) => void = () => undefined,
  ): Promise<ApprovalAnswer> {
    const written = writing.then(work);
    const outcome = written.catch((error: unknown) => {
      if (askAgain === undefined || !isDatabaseUnavailable(error) || !patched('unanswered-writes')) throw error;
      unansweredWrites += 1;
      return askAgain().finally(() => (unansweredWrites -= 1));
    });
    writing = outcome.then(adopt, onRefused);
    return written.then(
      (record) => {
        adopt(record);
        return record.view;
      },
      (error: unknown) => {
        throw isDatabaseUnavailable(error) ? databaseUnavailable() : error;
      },
    );
  }

  /** Reads the row after a commit that this workflow may not know of. */
  async function refresh({ version: committed }: { version: number }): Promise<void> {
    if (committed <= version) return;
    await write(() => background.readApproval({ actor: system, approval_id })).catch(() => undefined);
  }

  /** Adopts a committed state, unless a later one is known already: results can overtake each other. */
  function adopt({ approval: committed, view }: ApprovalRecord): void {
    if (view.version <= version) return;
    const changed = committed.status !== approval.status;
    approval = committed;
    version = view.version;
    setCurrentDetails(describeApproval(approval));
    if (changed) upsertSearchAttributes([{ key: searchAttributes.approvalState, value: approval.status }]);
  }

  /** Notifies people. The activity answers with the row, which repairs the copy in case a commit was never answered. */
  function announce(what: ApprovalNotification): void {
    const announcement = notification.announceApproval
      .executeWithOptions({ summary: `Tell people: ${what}` }, [
        { actor: system, approval_id, news: what, occurrence: announcements.length + 1 },
      ])
      .then(adopt, () => undefined);
    announcements.push(announcement);
  }
}

pinnedVersioning(approvalWorkflow);

const notOpenYet = { code: 'approval.not-pending', detail: 'The request is not open yet.' } as const;

function isOutOfTime(failure: ActivityFailure): boolean {
  return failure.retryState === 'TIMEOUT' || failure.cause instanceof TimeoutFailure;
}

function cancellation(message: PersonalMessage): RecordCommand['command'] {
  return { kind: 'cancel', by: personOf(message) };
}

function withdrawal(message: PersonalMessage): RecordCommand['command'] {
  return { kind: 'withdraw', by: personOf(message) };
}

function edit(message: EditMessage): RecordCommand['command'] {
  return { kind: 'edit', by: personOf(message), digest: message.digest, new_digest: message.new_digest };
}

function failureOf(cause: Error | undefined): { code: string; detail: string } {
  const known = cause instanceof ApplicationFailure && typeof cause.type === 'string';
  return {
    code: known ? (cause.type ?? 'service.internal') : 'service.internal',
    detail: known ? cause.message : 'The change could not be made.',
  };
}
