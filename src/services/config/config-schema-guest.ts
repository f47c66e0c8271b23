import { answerHost } from '../../platform/guest/guest-entry.ts';
import { judge } from './config-schema-judgement.ts';
import type { SchemaQuestion } from './config-schema-judgement.ts';

// The first check of a process loads and compiles the rules of the rules; nobody should wait for that.
judge({ schema: { type: 'object', properties: { name: { type: 'string', pattern: '^a' } } }, document: {} });

/** The process in which the schemas and patterns of tenants are compiled and used. */
answerHost(async (question) => judge(question as SchemaQuestion));
