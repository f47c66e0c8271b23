import { z } from 'zod';
import type { Env } from '../env.ts';
import type { OutboundHttp } from './outbound-http.ts';

/** Something that words a sentence anew. It may fail, hang or talk nonsense: whoever asks has a text of their own. */
export interface TextModel {
  /** @returns the text, or null when there is none in time. Never throws. */
  reword(instruction: string, text: string): Promise<string | null>;
}

type ModelSettings = Pick<Env, 'TEXT_MODEL_URL' | 'TEXT_MODEL_NAME' | 'TEXT_MODEL_KEY' | 'TEXT_MODEL_TIMEOUT_MS'>;

const completion = z.object({ choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1) });

const maxTokens = 120;

/**
 * A model behind any endpoint that speaks the chat-completions protocol, or null when none is configured. The address
 * passes the same guard as every outbound request.
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
        // Refused, away, late or not JSON: all the same to a caller who has a text.
        return null;
      }
    },
  };
}
