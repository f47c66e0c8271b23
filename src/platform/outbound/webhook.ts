import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { type OutboundHttp, OutboundFailedError, OutboundRefusedError } from './outbound-http.ts';

/** The largest body that the Standard Webhooks specification recommends. */
const maxWebhookBytes = 20_000;

const secretBytes = 32;
const deliveryTimeoutMs = 10_000;

/** A new signing secret in the form `whsec_<base64>`. */
export function generateWebhookSecret(): string {
  return `whsec_${randomBytes(secretBytes).toString('base64')}`;
}

/** A message in the form of Standard Webhooks. */
interface WebhookMessage {
  /** The same in all attempts, so that the receiver can drop repetitions. */
  readonly id: string;
  /** Dotted name of what happened, e.g. `approval.requested`. */
  readonly type: string;
  /** RFC 3339: when it happened. */
  readonly timestamp: string;
  readonly data: unknown;
}

/** The result of one attempt. Only after `failed` does another attempt make sense. */
type WebhookOutcome =
  | { readonly kind: 'delivered'; readonly status: number }
  /** The receiver answered 410: it wants no more of these. */
  | { readonly kind: 'gone'; readonly status: 410 }
  /** The target is not permitted, or the message is too large; a retry changes nothing. */
  | { readonly kind: 'refused'; readonly status: null; readonly reason: string }
  | { readonly kind: 'failed'; readonly status: number | null; readonly reason: string };

/**
 * The headers of a signed message. With two secrets there are two signatures, so that a receiver may change its secret at
 * any time of the rotation.
 *
 * @param secrets the current one first, then the previous one while it is still valid.
 * @param options.sentAt the time of this attempt; receivers refuse messages that are minutes old.
 */
export function webhookHeaders(
  secrets: readonly string[],
  options: { id: string; sentAt: Date; body: string },
): Record<string, string> {
  const signatures = secrets.map((secret) => new Webhook(secret).sign(options.id, options.sentAt, options.body));
  return {
    'content-type': 'application/json',
    'webhook-id': options.id,
    'webhook-timestamp': String(Math.floor(options.sentAt.getTime() / 1000)),
    'webhook-signature': signatures.join(' '),
  };
}

/** Makes one attempt to deliver a message. Never throws because of the receiver's answer. */
export async function sendWebhook(
  outbound: OutboundHttp,
  target: { url: string; secrets: readonly string[]; signal?: AbortSignal },
  message: WebhookMessage,
): Promise<WebhookOutcome> {
  const { id, type, timestamp, data } = message;
  const body = JSON.stringify({ type, timestamp, data });
  if (Buffer.byteLength(body) > maxWebhookBytes) {
    return { kind: 'refused', status: null, reason: `The message is longer than ${maxWebhookBytes} bytes.` };
  }
  try {
    const { status } = await outbound.send({
      url: target.url,
      method: 'POST',
      headers: webhookHeaders(target.secrets, { id, sentAt: new Date(), body }),
      body,
      timeoutMs: deliveryTimeoutMs,
      ...(target.signal === undefined ? {} : { signal: target.signal }),
    });
    return outcomeOf(status);
  } catch (error) {
    if (error instanceof OutboundRefusedError) {
      return { kind: 'refused', status: null, reason: error.message };
    }
    if (error instanceof OutboundFailedError) {
      return { kind: 'failed', status: null, reason: error.message };
    }
    throw error;
  }
}

function outcomeOf(status: number): WebhookOutcome {
  if (status >= 200 && status < 300) {
    return { kind: 'delivered', status };
  }
  if (status === 410) {
    return { kind: 'gone', status };
  }
  return { kind: 'failed', status, reason: `The recipient answered ${status}.` };
}
