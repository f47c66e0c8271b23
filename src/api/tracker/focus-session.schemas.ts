import { z } from 'zod';
import { focusEndings, focusStates } from '../../domain/tracker/tracker-focus.ts';
import { timestamp } from '../../platform/value-schemas.ts';
import { defaultFocusMinutes } from '../../workflows/tracker/focus-session.contract.ts';
import { freeText, ownedFields } from './tracker.schemas.ts';

const notes = freeText(2_000);

/** A focus session as it is answered (S0-32). */
export const FocusSessionBody = z
  .object({
    ...ownedFields,
    start_time: timestamp,
    end_time: timestamp.nullable(),
    duration_minutes: z.int().describe('Planned length'),
    completed: z.boolean(),
    interrupted: z.boolean(),
    notes: z.string().nullable(),
    state: z.enum(focusStates),
    due_at: timestamp.describe('When the timer ends if it is not paused again'),
    paused_at: timestamp.nullable(),
    paused_ms: z.int().min(0).describe('Length of the pauses that are over, milliseconds'),
    remaining_seconds: z.int().min(0),
    actual_minutes: z.int().min(0).nullable().describe('Whole minutes without pauses, once it has ended'),
    ending: z.enum(focusEndings).nullable().describe('How the session ended'),
    created_at: timestamp,
  })
  .meta({ id: 'AdminFocusSessionResponse' });

export const FocusSessionCreate = z
  .strictObject({
    duration_minutes: z.int().min(1).max(480).default(defaultFocusMinutes),
    notes: notes.nullable().default(null),
  })
  .prefault({})
  .meta({ id: 'AdminFocusSessionCreate' });

/** Body of a command to a session. */
export const FocusCommandBody = z.strictObject({ notes: notes.nullable().default(null) }).prefault({});

export const FocusRemainingBody = z
  .object({
    state: z.enum(focusStates),
    remaining_seconds: z.int().min(0),
    ends_at: timestamp.nullable().describe('Null unless the session is running'),
  })
  .meta({ id: 'FocusRemaining' });
