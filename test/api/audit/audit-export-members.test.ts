import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import type { ExportReport } from '../../../src/domain/audit/audit-export.ts';
import { verifyExportFile } from '../../../src/services/audit/audit-export-verification.service.ts';
import { parseVerifier } from '../../../src/services/audit/signed-note.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { actorOf, entryOf } from '../../support/audit-bench.ts';

const run = promisify(execFile);

let app: TestApi;
let admin: SignedIn;
let folder: string;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  folder = await mkdtemp(join(tmpdir(), 'castellan-members-'));
  await unitOfWork(app.api.deps.db, actorOf(defaultTenantId, { user_id: admin.user_id }), async (tx) => {
    for (let place = 0; place < 40; place += 1) tx.audit(entryOf(place));
  });
});

afterAll(async () => {
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

const get = (path: string) => app.call('GET', path, { token: admin.token });

/** Downloads an export into a file. */
async function download(name: string, query: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, (await get(`/admin/audit-logs/export?${query}`)).body);
  return path;
}

async function publicKey(): Promise<string> {
  return (await get('/admin/audit-logs/checkpoints/latest')).body.public_keys[0];
}

/** Verifies a file, which is as it was downloaded, and then a changed copy. */
async function checkChanged(path: string, change: (lines: string[]) => string[]): Promise<ExportReport> {
  const verifiers = [parseVerifier(await publicKey())];
  expect(await verifyExportFile(path, { verifiers })).toMatchObject({ valid: true });
  const changed = path.replace(/(\.\w+)$/, '-changed$1');
  await writeFile(changed, `${change((await readFile(path, 'utf8')).trimEnd().split('\n')).join('\n')}\n`);
  return verifyExportFile(changed, { verifiers });
}

describe('T-18: nothing in a file is believed that nobody signed', () => {
  /** The line of a row of a person, whose address is sealed. */
  const at = 20;
  const changeLine = (change: (line: string) => string) => (lines: string[]) => {
    const changed = change(lines[at] ?? '');
    expect(changed).not.toBe(lines[at]);
    return lines.with(at, changed);
  };

  it.each<[string, (line: string) => string, RegExp]>([
    ['an additional member', (line) => line.replace(/\}$/, ',"comment":"approved by the board"}'), /other members/],
    ['an additional member at the front', (line) => line.replace('{', '{"comment":"approved",'), /other members/],
    ['a member that stands twice', (line) => line.replace('{"seq"', '{"entry":{"event":"flag.delete"},"seq"'), /other members/],
    ['a time in another form', (line) => line.replace(/"recorded_at":"([^"]+)Z"/, '"recorded_at":"$1+00:00"'), /form of this format/],
    ['a private key of another part', (line) => line.replace(/"private_keys":\["[0-9a-f]{4}/, '"private_keys":["0000'), /private key/],
    ['a private key less', (line) => line.replace(/,"private_keys":\[[^\]]*\]/, ''), /private keys are not those/],
    ['a private key that is said to be erased', (line) => line.replace(/"private_keys":\["[0-9a-f]+"/, '"private_keys":["erased"'), /private keys are not those/],
    ['a private key more', (line) => line.replace(/"private_keys":\[/, '"private_keys":["erased",'), /private keys for/],
    ['a private part', (line) => line.replace('"enabled":false', '"enabled":true'), /private part/],
    ['a sealed part', (line) => line.replace(/"box":"[\w-]{4}/, '"box":"AAAA'), /private part|private key/],
  ])('%s', async (_, change, detail) => {
    const path = await download('members.jsonl', 'format=jsonl');
    const report = await checkChanged(path, changeLine(change));
    expect(report).toMatchObject({ valid: false });
    expect(report.findings.map((finding) => finding.detail).join('; ')).toMatch(detail);
  });

  it('neither by the command', async () => {
    const path = await download('command.jsonl', 'format=jsonl');
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    await writeFile(path, `${lines.with(at, (lines[at] ?? '').replace(/\}$/, ',"comment":"approved"}')).join('\n')}\n`);
    const command = run(process.execPath, ['src/dev/audit-verify.ts', path, '--public-key', await publicKey()], { env: { PATH: '' } });
    await expect(command).rejects.toMatchObject({ code: 1, stdout: expect.stringContaining('NOT VALID: first bad entry 21') });
  });

  it('a member of the manifest', async () => {
    const path = await download('members.jsonl', 'format=jsonl');
    for (const change of ['{"comment":"x",', '{"manifest":{},']) {
      const report = await checkChanged(path, (lines) => lines.with(-1, (lines.at(-1) ?? '').replace('{', change)));
      expect(report).toMatchObject({ valid: false });
    }
  });

  it('a column or a cell of a CSV file', async () => {
    const path = await download('members.csv', 'format=csv');
    const changes: ((lines: string[]) => string[])[] = [
      (lines) => lines.map((line, place) => `${line},${place === 0 ? 'comment' : 'x'}`),
      (lines) => lines.with(at, `${lines[at]},x`),
      (lines) => lines.with(0, (lines[0] ?? '').replace('event', 'what')),
      (lines) => lines.with(-1, (lines.at(-1) ?? '').replace('manifest,,', 'manifest,x,')),
      (lines) => lines.with(at, (lines[at] ?? '').replace(/[0-9a-f]{4}$/, '0000')),
    ];
    for (const change of changes) expect(await checkChanged(path, change)).toMatchObject({ valid: false });
  });
});
