import type { Attempt, CommandRecord, Essence, Verdict } from './command.ts';
import type { World } from './world.ts';

/** Longer than any command may take, so that only a lost connection leaves a request without its answer. */
const answerTimeoutMs = 40_000;
const maxDetail = 300;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- bodies of every shape
  readonly body: any;
}

/** Sends one request of a command, proven where it asks for that, and records what came of it. */
export async function send(world: World, record: CommandRecord, url: string, proof: Proof): Promise<Attempt> {
  const sent_at = Date.now();
  const attempt = (outcome: Omit<Attempt, 'url' | 'sent_at' | 'ended_at'>): Attempt => {
    const made = { url, sent_at, ended_at: Date.now(), ...outcome };
    record.attempts.push(made);
    return made;
  };
  try {
    let answer = await request(world, record, url, proof.token);
    // A proof that was used by an attempt that came to nothing is refused without saying what for.
    if (asksForProof(answer) && answer.body.action === undefined) answer = await request(world, record, url, null);
    if (asksForProof(answer)) {
      proof.token = await world.proof(record.planned.person, answer.body);
      answer = await request(world, record, url, proof.token);
    }
    const verdict = verdictOf(answer);
    return attempt({
      verdict,
      status: answer.status,
      code: answer.body?.code ?? null,
      is_replay: answer.headers.get('idempotency-replayed') === 'true',
      essence: verdict === 'done' ? essenceOf(answer) : null,
      detail: verdict === 'broken' ? JSON.stringify(answer.body).slice(0, maxDetail) : (answer.body?.detail ?? null),
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const detail = String(cause).slice(0, maxDetail);
    return attempt({ verdict: 'unknown', status: null, code: null, is_replay: false, essence: null, detail });
  }
}

/** The proof that a command is sent with; the requests of one command share it as long as it is taken. */
export interface Proof {
  token: string | null;
}

async function request(world: World, { planned, key, request_id }: CommandRecord, url: string, proof: string | null): Promise<Answer> {
  const { person, method, path, body, headers } = planned;
  const response = await fetch(new URL(path, url), {
    method,
    redirect: 'manual',
    signal: AbortSignal.timeout(answerTimeoutMs),
    headers: {
      authorization: `Bearer ${await world.token(person)}`,
      'idempotency-key': key,
      'x-request-id': request_id,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(proof === null ? {} : { 'x-mfa-token': proof }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: parsed(text) };
}

function asksForProof({ status, body }: Answer): boolean {
  return status === 403 && body?.code === 'mfa.required';
}

function parsed(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return { detail: text };
  }
}

function verdictOf({ status, body }: Answer): Verdict {
  if (status >= 200 && status < 300) return 'done';
  if (status === 409 && body?.code === 'idempotency.in-progress') return 'in progress';
  if (status === 504 || body?.code === 'service.outcome-unknown') return 'unknown';
  // The other kind of 429 does not pass by waiting: somebody has to decide first.
  if (body?.code === 'approval.too-many-open') return 'refused';
  if (status === 503 || status === 429) return 'nothing';
  return status >= 400 && status < 500 ? 'refused' : 'broken';
}

function essenceOf({ status, headers, body }: Answer): Essence {
  return { status, etag: headers.get('etag'), location: headers.get('location'), body };
}
