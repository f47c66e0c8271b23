import { Webhook, WebhookVerificationError } from 'standardwebhooks';

/** A signed message as it was received: the signed body and the headers. */
interface SignedMessage {
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** True when a text is a signing secret in the form `whsec_<base64 of 24 to 64 bytes>`. */
export function isWebhookSecret(secret: string): boolean {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  if (encoded === undefined) return false;
  const { length } = Buffer.from(encoded, 'base64');
  return length >= 24 && length <= 64;
}

/**
 * The id of a message with a valid signature that is at most five minutes old (Standard Webhooks), else null.
 *
 * @param secret in the form `whsec_…`
 */
export function verifiedMessageId(secret: string, { body, headers }: SignedMessage): string | null {
  const [id, timestamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headers[name]);
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string') return null;
  if (id === '' || id.length > 200) return null;
  try {
    new Webhook(secret).verify(
      body,
      { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature },
      { jsonParse: false },
    );
    return id;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return null;
    throw error;
  }
}
