import { z } from 'zod';
import type { Env } from '../env.ts';
import type { OutboundHttp } from './outbound-http.ts';

/** A language model that rewords a sentence. It may fail, hang or answer nonsense, so callers have a fallback text. */
export interface TextModel {
  /** @returns the text, or null when there is none in time. Never throws. */
  reword(instruction: string, text: string): Promise<string | null>;
}

type ModelSettings = Pick<Env, 'TEXT_MODEL_URL' | 'TEXT_MODEL_NAME' | 'TEXT_MODEL_KEY' | 'TEXT_MODEL_TIMEOUT_MS'>;

const completion = z.object({ choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1) });

const maxTokens = 120;

/**
 * A model behind an endpoint with the chat-completions protocol, or null when none is configured. It is called through the
 * outbound client.
 */
export function createTextModel(settings: ModelSettings, outbound: OutboundHttp): TextModel | null {
  const { TEXT_MODEL_URL: url, TEXT_MODEL_NAME: model, TEXT_MODEL_KEY: key, TEXT_MODEL_TIMEOUT_MS: timeoutMs } = settings;
  if (url === undefined) return null;
  return {
    reword: async (instruction, text) => {
      try {
        const answer = await outbound.send({
          url,
          method: 'POST',
          timeoutMs,
          headers: {
            'content-type': 'application/json',
            ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          },
          body: JSON.stringify({
            model,
            max_tokens: maxTokens,
            messages: [
              { role: 'system', content: instruction },
              { role: 'user', content: text },
            ],
          }),
        });
        if (answer.status !== 200) return null;
        return completion.parse(JSON.parse(answer.body)).choices[0]?.message.content ?? null;
      } catch {
        // Refused, unavailable, late or not JSON: the caller uses its fallback text in every case.
        return null;
      }
    },
  };
}
