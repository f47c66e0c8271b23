import type { Client } from '@temporalio/client';
import type { SearchAttributeType } from '@temporalio/common';

/** Temporal's numbers of the value types (`temporal.api.enums.v1.IndexedValueType`). */
const indexedValueTypes = { KEYWORD: 2, DATETIME: 6, INT: 3, BOOL: 5, DOUBLE: 4, TEXT: 1, KEYWORD_LIST: 7 } as const satisfies
  Record<SearchAttributeType, number>;

/** What `defineSearchAttributeKey` returns. */
interface SearchAttributeKey {
  readonly name: string;
  readonly type: SearchAttributeType;
}

/** gRPC: ALREADY_EXISTS. */
const alreadyExists = 6;

/**
 * Registers the search attributes that a namespace lacks; needs the rights of a namespace administrator.
 *
 * @throws Error when an attribute exists with another type, because every workflow that sets it would fail.
 */
export async function registerSearchAttributes(
  client: Client,
  namespace: string,
  keys: Readonly<Record<string, SearchAttributeKey>>,
): Promise<void> {
  const { operatorService } = client.connection;
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const missing = Object.values(keys).filter(({ name, type }) => {
    const existing = customAttributes[name];
    if (existing === undefined) return true;
    if (existing !== indexedValueTypes[type]) {
      throw new Error(`Search attribute ${name} exists in namespace ${namespace} with another type than ${type}.`);
    }
    return false;
  });
  if (missing.length === 0) return;
  try {
    await operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map(({ name, type }) => [name, indexedValueTypes[type]])),
    });
  } catch (error) {
    // Another worker that started at the same time has registered them.
    if (!(error instanceof Error && 'code' in error && error.code === alreadyExists)) throw error;
  }
}
