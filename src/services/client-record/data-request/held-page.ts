import { createHash } from 'node:crypto';
import { titleOf } from '../../../domain/client-record/client-history.ts';
import { writtenCnpj, writtenCpf } from '../../../domain/shared/document-number.ts';
import type { HeldFile, HeldRow } from './held-about-client.queries.ts';

const style =
  'body{font:16px/1.5 Georgia,serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}' +
  'h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #999}' +
  'table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}' +
  'th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd;overflow-wrap:anywhere}' +
  'th{font-weight:normal;color:#555;width:14rem}' +
  '@media print{body{margin:0;max-width:none;font-size:11pt}h2{break-after:avoid}tr{break-inside:avoid}}';

/** What the page may do: show itself, with this one style. It asks for nothing, runs nothing and is framed by nobody. */
export const heldPagePolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** In a page itself the last directive is none. */
const policyInPage = heldPagePolicy.replace("; frame-ancestors 'none'", '');

/** Everything that is held, as one page for people: no script, nothing from elsewhere, fit for printing. */
export function heldPage(file: HeldFile): string {
  const write = writerOf(file.time_zone);
  const parts = file.parts.map(
    ({ title, rows }) => `<h2>${escaped(title)}</h2>\n${rows.length === 0 ? '<p>Nothing is held.</p>' : rows.map((row) => rowTable(row, write)).join('\n')}`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escaped(policyInPage)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Data held about you</title>
<style>${style}</style>
</head>
<body>
<h1>Data held about you by ${escaped(file.held_by)}</h1>
<p>Made on ${escaped(write('made_at', file.made_at))} for your request of ${escaped(write('received_on', file.request.received_on))}, number ${escaped(file.request.id)}. Times are those of ${escaped(file.time_zone)}.</p>
${parts.join('\n')}
</body>
</html>
`;
}

type Write = (name: string, value: unknown) => string;

function rowTable(row: HeldRow, write: Write): string {
  const lines = Object.entries(row).map(
    ([name, value]) => `<tr><th scope="row">${escaped(words(name))}</th><td>${escaped(write(name, value))}</td></tr>`,
  );
  return `<table>\n${lines.join('\n')}\n</table>`;
}

/** `phone_number` is "Phone number"; CPF and CNPJ stay as they are known. */
function words(name: string): string {
  if (name === 'cpf' || name === 'cnpj') return name.toUpperCase();
  const text = name.replaceAll('_', ' ').replace(/\bid\b/, 'number');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Writes values for people: dates in words, times by the clocks of a time zone. */
function writerOf(timeZone: string): Write {
  const days = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' });
  const times = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone });
  const write: Write = (name, value) => {
    if (value === null || value === undefined || value === '') return '–';
    if (typeof value === 'boolean') return value ? 'yes' : 'no';
    if (Array.isArray(value)) return value.map((one: unknown) => write(name, one)).join(', ') || '–';
    if (typeof value === 'object') {
      return Object.entries(value).map(([member, one]) => `${words(member)}: ${write(member, one)}`).join('; ');
    }
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (name === 'cpf' && /^\d{11}$/.test(text)) return writtenCpf(text);
    if (name === 'cnpj' && /^[A-Z\d]{14}$/.test(text)) return writtenCnpj(text);
    if (name === 'event') return titleOf(text);
    if (/^\d{4}-\d\d-\d\d$/.test(text)) return days.format(new Date(`${text}T00:00:00Z`));
    if (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text)) return times.format(new Date(text));
    return text;
  };
  return write;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** A text as HTML shows it, between tags and in quoted attributes. */
function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);
}
