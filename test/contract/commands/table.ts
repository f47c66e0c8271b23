import { assignmentLines, onboardingLines } from './assignment.lines.ts';
import { clientRecordLines } from './client-record.lines.ts';
import { changeLines } from './change.lines.ts';
import { clientRequestLines } from './client-request.lines.ts';
import { clientMergeLines } from './client-merge.lines.ts';
import { clientFileLines } from './client-file.lines.ts';
import type { CommandLine } from './command-line.ts';
import { healthLines, integrationLines, notificationLines, queueLines } from './operation.lines.ts';
import { peopleLines } from './people.lines.ts';
import { trackerLines } from './tracker.lines.ts';

/** Every route that is no GET: how it makes its change, and a request that is valid. */
export const commandTable: readonly CommandLine[] = [
  ...peopleLines,
  ...changeLines,
  ...notificationLines,
  ...queueLines,
  ...integrationLines,
  ...healthLines,
  ...assignmentLines,
  ...onboardingLines,
  ...clientRequestLines,
  ...trackerLines,
  ...clientRecordLines,
  ...clientMergeLines,
  ...clientFileLines,
];
