import { readFile } from 'node:fs/promises';
import { SourceTextModule, createContext } from 'node:vm';

/** What of an element the script of a small page uses. */
class PageElement {
  textContent = '';
  value = '';
  href = '';
  hidden = false;
  disabled = false;
  readonly attributes = new Map<string, string>();
  readonly children: PageElement[] = [];
  readonly listeners = new Map<string, (event: { preventDefault(): void }) => unknown>();
  isRemoved = false;
  #onFocus: () => void;

  constructor(onFocus: () => void = () => undefined) {
    this.#onFocus = onFocus;
  }

  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
  }

  addEventListener(type: string, listener: (event: { preventDefault(): void }) => unknown): void {
    this.listeners.set(type, listener);
  }

  append(child: PageElement): void {
    this.children.push(child);
  }

  remove(): void {
    this.isRemoved = true;
  }

  focus(): void {
    this.#onFocus();
  }
}

/** A page whose script has run, without a browser. */
export interface OpenedPage {
  element(id: string): PageElement;
  /** The id of the element that was focused last. */
  focused(): string | undefined;
  submit(formId: string): Promise<void>;
  /** The address bar. */
  address(): string;
}

/**
 * Runs the script of a page on the elements that the page has, with calls that go to a real API.
 *
 * @param script path of the file
 * @param hash what stands behind # in the address, with it
 */
export async function openPage(apiUrl: string, options: { html: string; script: string; path: string; hash: string }): Promise<OpenedPage> {
  let focused: string | undefined;
  let address = `${options.path}${options.hash}`;
  const ids = [...options.html.matchAll(/\sid="([\w-]+)"/g)].map(([, id]) => id!);
  const elements = new Map(ids.map((id) => [id, new PageElement(() => (focused = id))]));
  const element = (id: string): PageElement => {
    const found = elements.get(id);
    if (found === undefined) throw new Error(`The page has no element ${id}.`);
    return found;
  };
  const context = createContext({
    document: { getElementById: element, createElement: () => new PageElement() },
    location: { hash: options.hash, pathname: options.path },
    history: { replaceState: (_state: unknown, _title: string, path: string) => (address = path) },
    fetch: (path: string, init: RequestInit) => fetch(new URL(path, apiUrl), init),
    addEventListener: () => undefined,
  });
  const module = new SourceTextModule(await readFile(options.script, 'utf8'), { context });
  await module.link(() => {
    throw new Error('The script imports nothing.');
  });
  await module.evaluate();
  return {
    element,
    focused: () => focused,
    submit: async (formId) => {
      await element(formId).listeners.get('submit')?.({ preventDefault: () => undefined });
    },
    address: () => address,
  };
}
