import type { Payload, PayloadCodec } from '@temporalio/common';
import { ValueError } from '@temporalio/common';
import { z } from 'zod';
import { Problem } from '../../platform/problem.ts';
import { assertDefaultTenant } from '../../services/identity/platform-staff.ts';
import { route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';

const base64 = z.string().regex(/^[A-Za-z0-9+/_-]*={0,2}$/, 'must be base64');

/** Payloads as Temporal's own JSON has them: bytes are base64. */
const payloads = z
  .strictObject({
    payloads: z
      .array(z.strictObject({ metadata: z.record(z.string().max(200), base64).default({}), data: base64.default('') }))
      .max(2_000),
  })
  .meta({ id: 'TemporalPayloads' });

type Payloads = z.output<typeof payloads>;
type Context = Pick<HandlerContext<unknown, unknown, Payloads>, 'actor' | 'body' | 'deps'>;

const common = {
  method: 'post',
  tag: 'temporal',
  permission: 'tenant:manage',
  gate: 'none',
  // Temporal's tools send none, and an answer that is stored would be the content in clear.
  idempotency: false,
  body: payloads,
  responses: { 200: payloads },
} as const;

const description =
  'Temporal’s remote codec for Temporal Web and the command line. Workflows of all tenants share a namespace, so it ' +
  'is for the staff of the default tenant. Without `TEMPORAL_PAYLOAD_KEYS` payloads are unchanged.';

const decodeTemporalPayloads = route({
  ...common,
  operationId: 'decodeTemporalPayloads',
  path: '/temporal/codec/decode',
  summary: 'Decrypt sealed workflow payloads',
  description,
  handler: (context) => recode(context, (codec, sealed) => codec.decode(sealed)),
});

const encodeTemporalPayloads = route({
  ...common,
  operationId: 'encodeTemporalPayloads',
  path: '/temporal/codec/encode',
  summary: 'Encrypt workflow payloads',
  description,
  handler: (context) => recode(context, (codec, open) => codec.encode(open)),
});

type Turn = (codec: PayloadCodec, payloads: Payload[]) => Promise<Payload[]>;

/** @throws Problem `request.invalid` for a payload that no key of ours opens. */
async function recode({ actor, body, deps }: Context, turn: Turn): Promise<Payloads> {
  assertDefaultTenant(actor);
  if (deps.payloadCodec === undefined) return body;
  try {
    return { payloads: (await turn(deps.payloadCodec, body.payloads.map(ofJson))).map(toJson) };
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new Problem({ code: 'request.invalid', detail: error.message, cause: error });
  }
}

function ofJson({ metadata, data }: Payloads['payloads'][number]): Payload {
  const bytes = Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const);
  return { metadata: Object.fromEntries(bytes), data: Buffer.from(data, 'base64') };
}

function toJson({ metadata, data }: Payload): Payloads['payloads'][number] {
  const texts = Object.entries(metadata ?? {}).map(([key, value]) => [key, Buffer.from(value).toString('base64')] as const);
  return { metadata: Object.fromEntries(texts), data: Buffer.from(data ?? []).toString('base64') };
}

export const temporalCodecRoutes = [decodeTemporalPayloads, encodeTemporalPayloads];
