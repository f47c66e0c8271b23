import { z } from 'zod';
import type { Actor } from '../../domain/shared/actor.ts';
import type { Guard, GuardSource, Measurement } from '../../domain/config/config-guard.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { Database } from '../../platform/database/database.ts';
import type { OutboundHttp } from '../../platform/outbound/outbound-http.ts';
import { OutboundFailedError, OutboundRefusedError } from '../../platform/outbound/outbound-http.ts';
import { read } from '../../platform/database/read.ts';
import { metricMeanQuery } from '../../services/config/config-guard.queries.ts';

/** The rollout that a guard is measured for. */
interface GuardSubject {
  readonly actor: Actor;
  readonly deployment_id: string;
  readonly environment: EnvironmentName;
}

/** Measures a guard once. A source that does not answer is `unknown`: only bugs throw. */
type MeasureGuard = (subject: GuardSubject, guard: Guard) => Promise<Measurement>;

type Deps = { readonly db: Pick<Database, 'readPool'>; readonly outbound: Pick<OutboundHttp, 'send'> };

/** Samples that are older say nothing about the present stage. */
const healthWindowSeconds = 120;
const timeoutMs = 8_000;

/** Makes {@link MeasureGuard} for the three kinds of sources. */
export function createMeasureGuard({ db, outbound }: Deps): MeasureGuard {
  return async (subject, { source }) => {
    switch (source.kind) {
      case 'health':
        return healthMetric(db, subject.actor, source.metric);
      case 'prometheus':
        return measureRemote(() => prometheusQuery(outbound, source));
      case 'webhook':
        return measureRemote(() => webhookVerdict(outbound, subject, source.url));
    }
  };
}

/** The mean of a metric's latest samples, our own or the platform's. */
async function healthMetric(db: Deps['db'], actor: Actor, metric: string): Promise<Measurement> {
  const [row] = await read(db, actor, metricMeanQuery(metric, healthWindowSeconds));
  if (row === undefined || row.value === null) return unknown(`no sample of ${metric} in ${healthWindowSeconds} s`);
  return { kind: 'value', value: row.value, samples: row.samples };
}

const sample = z.tuple([z.number(), z.string()]);
const prometheusAnswer = z.object({
  status: z.literal('success'),
  data: z.discriminatedUnion('resultType', [
    z.object({ resultType: z.literal('scalar'), result: sample }),
    z.object({ resultType: z.literal('vector'), result: z.array(z.object({ value: sample })) }),
  ]),
});

async function prometheusQuery(
  outbound: Deps['outbound'],
  { url, query: valueQuery, samples_query }: Extract<GuardSource, { kind: 'prometheus' }>,
): Promise<Measurement> {
  const value = await queryNumber(outbound, url, valueQuery);
  if (typeof value === 'string') return unknown(value);
  if (samples_query === null) return { kind: 'value', value, samples: null };
  const samples = await queryNumber(outbound, url, samples_query);
  return typeof samples === 'string' ? unknown(samples) : { kind: 'value', value, samples };
}

/** The one number that an instant query gives, or the reason why there is none. */
async function queryNumber(outbound: Deps['outbound'], base: string, text: string): Promise<number | string> {
  const url = new URL('api/v1/query', base.endsWith('/') ? base : `${base}/`);
  url.searchParams.set('query', text);
  const answer = await outbound.send({ url: url.href, method: 'GET', timeoutMs });
  if (answer.status !== 200) return `Prometheus answered ${answer.status}`;
  const parsed = prometheusAnswer.safeParse(jsonOrNull(answer.body));
  if (!parsed.success) return 'Prometheus answered something else than a number';
  const { data } = parsed.data;
  const samples = data.resultType === 'scalar' ? [data.result] : data.result.map(({ value }) => value);
  const [only] = samples;
  if (only === undefined || samples.length > 1) return `the query gave ${samples.length} series instead of one`;
  const value = Number(only[1]);
  return Number.isFinite(value) ? value : `the query gave ${only[1]}`;
}

const webhookAnswer = z.object({
  verdict: z.enum(['good', 'bad', 'unknown']),
  reason: z.string().max(300).optional(),
});

async function webhookVerdict(
  outbound: Deps['outbound'],
  { deployment_id, environment }: GuardSubject,
  url: string,
): Promise<Measurement> {
  const body = JSON.stringify({ deployment_id, environment });
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  const answer = await outbound.send({ url, method: 'POST', headers, body, timeoutMs });
  if (answer.status !== 200) return unknown(`the webhook answered ${answer.status}`);
  const parsed = webhookAnswer.safeParse(jsonOrNull(answer.body));
  if (!parsed.success) return unknown('the webhook gave no verdict');
  const { verdict, reason } = parsed.data;
  return verdict === 'unknown' ? unknown(reason ?? 'the webhook answered unknown') : { kind: 'verdict', verdict };
}

async function measureRemote(ask: () => Promise<Measurement>): Promise<Measurement> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof OutboundFailedError || error instanceof OutboundRefusedError) return unknown(error.message);
    throw error;
  }
}

function unknown(reason: string): Measurement {
  return { kind: 'unknown', reason: reason.slice(0, 300) };
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
