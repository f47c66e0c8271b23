/** What README, CONTRIBUTING and docs call by its path is there. */
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const documents = ['.', 'docs', 'src', 'test', 'bench'].flatMap((place) =>
  readdirSync(join(root, place), { recursive: place !== '.', encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(place, file)),
);

function exists(path: string): boolean {
  return existsSync(join(root, path));
}

/** A heading as it is linked to. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\w\s-]/g, '').trim().replaceAll(/\s/g, '-');
}

/** Decisions tell of their time; a file that one of them names may be gone. */
const current = documents.filter((file) => !file.startsWith('docs/adr/'));

describe('documents', () => {
  it('link to files, folders and headings that are there', async () => {
    const broken: string[] = [];
    for (const file of documents) {
      const text = await readFile(join(root, file), 'utf8');
      for (const [, link = ''] of text.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)) {
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? file : join(dirname(file), path);
        if (!exists(target)) broken.push(`${file}: ${link}`);
        else if (anchor !== undefined) {
          const headings = (await readFile(join(root, target), 'utf8')).matchAll(/^#+ (.+)$/gm);
          if (![...headings].some(([, heading = '']) => anchorOf(heading) === anchor)) broken.push(`${file}: ${link}`);
        }
      }
    }
    expect(broken).toEqual([]);
  });

  it('name sources that are there', async () => {
    const missing: string[] = [];
    for (const file of current) {
      const text = await readFile(join(root, file), 'utf8');
      for (const [path] of text.matchAll(/\b(?:src|test|bench|scripts|migrations)\/[\w./-]+\.(?:ts|json|mjs)\b/g)) {
        if (!exists(path)) missing.push(`${file}: ${path}`);
      }
    }
    expect(missing).toEqual([]);
  });
});
