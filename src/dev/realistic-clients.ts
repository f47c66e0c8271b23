import { cnpj, cpf } from 'cpf-cnpj-validator';
import type { ClientAddress, ClientKind } from '../domain/client-record/client.ts';

/** A client record as an office in Brazil would write it down; nobody's, as far as that can be said. */
export interface RealisticClient {
  readonly kind: ClientKind;
  readonly name: string;
  /** Eleven digits with right check digits; null for companies. */
  readonly cpf: string | null;
  /** Fourteen characters with right check digits; null for persons. */
  readonly cnpj: string | null;
  /** `YYYY-MM-DD`; null for companies. */
  readonly birth_date: string | null;
  /** Under a name that is reserved for examples (RFC 2606). */
  readonly email: string | null;
  /** E.164, of an area code that no region has. */
  readonly phone_number: string | null;
  readonly address: ClientAddress | null;
}

/** Numbers from 0 to below 1, of which the same seed always gives the same. */
export type Draw = () => number;

/** mulberry32: 32 bits of state, integers only, so that every machine draws the same. */
export function seededDraw(seed: number): Draw {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One of a list. */
export function pick<Item>(draw: Draw, items: readonly Item[]): Item {
  return itemAt(items, draw());
}

/** One of a list, its beginning more often. The product of two draws: powers are not computed alike everywhere. */
export function pickFrequent<Item>(draw: Draw, items: readonly Item[]): Item {
  return itemAt(items, draw() * draw());
}

function itemAt<Item>(items: readonly Item[], position: number): Item {
  const item = items[Math.floor(position * items.length)];
  if (item === undefined) throw new Error('There is nothing to pick from.');
  return item;
}

const between = (draw: Draw, from: number, to: number) => from + Math.floor(draw() * (to - from + 1));
const digits = (draw: Draw, count: number) => Array.from({ length: count }, () => between(draw, 0, 9)).join('');
const two = (value: number) => String(value).padStart(2, '0');

/*
 * Lists of our own: what a package draws from a seed changes with its versions, and `npm start` would need it in an image without
 * packages for development.
 */

/** Given names of women and of men, frequent ones first. */
const givenNames = [
  'Maria Ana Francisca Adriana Juliana Márcia Fernanda Patrícia Aline Sandra Camila Amanda Letícia Luciana Vanessa Mariana Beatriz ' +
    'Larissa Cláudia Sônia Rita Simone Tatiane Helena Alice Luísa Cecília Íris Conceição Benedita Lourdes Heloísa Yasmin Zélia',
  'José João Antônio Carlos Paulo Pedro Lucas Luiz Marcos Gabriel Rafael Daniel Marcelo Bruno Eduardo Felipe Rodrigo Gustavo ' +
    'Guilherme Ricardo Fábio Thiago Roberto Vinícius Sérgio Anderson Mateus Caio Murilo Otávio Raimundo Sebastião Joaquim Ítalo',
].map((names) => names.split(' '));

/** Frequent ones first, with the particle that most of those have who have one. */
const familyNames = (
  'da Silva|dos Santos|de Oliveira|de Souza|Lima|Pereira|Ferreira|da Costa|Rodrigues|de Almeida|do Nascimento|Alves|Carvalho|' +
  'de Araújo|Ribeiro|Gomes|Martins|da Rocha|Barbosa|de Melo|Dias|Cardoso|Teixeira|Cavalcanti|Correia|Moreira|Nunes|de Freitas|' +
  'Vieira|de Moura|Campos|Monteiro|Pinto|de Castro|Mendes|de Azevedo|Ramos|da Fonseca|Assunção|Guimarães|Brandão|Falcão|Simões|' +
  'Magalhães|da Conceição|de Sá|Leão|Peçanha|Dantas|de Queiroz|Xavier|Yamamoto|Tanaka|Schneider|Müller|Rossi|Bianchi|Kowalski|Haddad'
).split('|');

/** One or two given names and one to three family names, of which the last may keep its particle. */
export function personName(draw: Draw): string {
  const names = pick(draw, givenNames);
  const given = [pickFrequent(draw, names), ...(draw() < 0.35 ? [pickFrequent(draw, names)] : [])];
  const family = Array.from({ length: draw() < 0.15 ? 3 : between(draw, 1, 2) }, () => pickFrequent(draw, familyNames));
  const bare = [...new Set(family)].map((name, place, all) =>
    place === all.length - 1 && draw() < 0.5 ? name : name.slice(name.lastIndexOf(' ') + 1),
  );
  return [...new Set(given), ...bare].join(' ');
}

const trades = (
  'Padaria Farmácia Oficina Livraria Papelaria Mercearia Clínica Transportes Construções Confecções Laticínios Floricultura ' +
  'Restaurante Tecelagem Marcenaria'
).split(' ');
const tradeNames = 'Exemplo Boa Vista|Três Ipês|Céu Azul|Recanto Verde|Maré Alta|Dois Irmãos|Vale do Sol|Rio Manso'.split('|');

function companyName(draw: Draw): string {
  return `${pick(draw, trades)} ${pick(draw, tradeNames)} ${pickFrequent(draw, ['Ltda', 'ME', 'S/A'])}`;
}

/** Any CPF with right check digits. There is no range of them for examples, so it may have been given out to somebody. */
export function drawnCpf(draw: Draw): string {
  const base = digits(draw, 9);
  const first = `${base}${cpf.verifierDigit(base)}`;
  const whole = `${first}${cpf.verifierDigit(first)}`;
  return cpf.isValid(whole, true) ? whole : drawnCpf(draw);
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** A CNPJ with right check digits, `lettered` by the rule of July 2026. */
export function drawnCnpj(draw: Draw, lettered: boolean): string {
  const root = Array.from({ length: 8 }, (_, place) => (lettered && place % 3 === 2 ? letters.charAt(between(draw, 0, letters.length - 1)) : digits(draw, 1)));
  const base = `${root.join('')}0001`;
  const first = `${base}${cnpj.verifierDigit(base)}`;
  const whole = `${first}${cnpj.verifierDigit(first)}`;
  return cnpj.isValid(whole, true) ? whole : drawnCnpj(draw, lettered);
}

/**
 * A mobile number of the area code 20, which no region of Brazil has. No numbers are set aside for examples there, so a number that
 * cannot be dialled is as near to nobody's as there is.
 */
export function drawnPhone(draw: Draw): string {
  return `+55209${digits(draw, 8)}`;
}

const mailDomains = ['example.com', 'example.org', 'example.net', 'clientes.test', 'correio.example', 'caixa.invalid'];

function mailOf(draw: Draw, name: string): string {
  const words = name.normalize('NFD').toLowerCase().replaceAll(/[^a-z ]/g, '').split(' ');
  return `${words[0]}.${words.at(-1)}${between(draw, 1, 9_999)}@${pickFrequent(draw, mailDomains)}`;
}

const streets = ['Rua das Acácias', 'Rua do Exemplo', 'Avenida Central', 'Travessa São José', 'Alameda dos Ipês', 'Praça da Estação'];
/** City, state and the first three digits of its postal codes. */
const cities = [
  ['São Paulo', 'SP', '010'],
  ['Rio de Janeiro', 'RJ', '200'],
  ['Belo Horizonte', 'MG', '301'],
  ['Salvador', 'BA', '400'],
  ['Curitiba', 'PR', '800'],
  ['Recife', 'PE', '500'],
  ['Florianópolis', 'SC', '880'],
  ['Belém', 'PA', '660'],
] as const;

function drawnAddress(draw: Draw): ClientAddress {
  const [city, region, code] = pickFrequent(draw, cities);
  return {
    line1: `${pick(draw, streets)}, ${between(draw, 1, 2_400)}`,
    line2: draw() < 0.3 ? `Apto ${between(draw, 11, 184)}` : null,
    city,
    region,
    postal_code: `${code}${digits(draw, 2)}-${digits(draw, 3)}`,
    country: 'BR',
  };
}

/** Ages are those of this year: fixed, so that a birth date is the same whenever it is drawn. */
const yearOfAges = 2026;

/** A birth date of somebody of 19 to 94 years, or of 3 to 16. */
export function drawnBirthDate(draw: Draw, isMinor: boolean): string {
  const age = isMinor ? between(draw, 3, 16) : between(draw, 19, 94);
  return `${yearOfAges - age}-${two(between(draw, 1, 12))}-${two(between(draw, 1, 28))}`;
}

/** A person, or a company where that is asked for. Fields that are optional are missing now and then. */
export function realisticClient(draw: Draw, kind: ClientKind = 'person'): RealisticClient {
  const isPerson = kind === 'person';
  const name = isPerson ? personName(draw) : companyName(draw);
  return {
    kind,
    name,
    cpf: isPerson ? drawnCpf(draw) : null,
    cnpj: isPerson ? null : drawnCnpj(draw, draw() < 0.4),
    birth_date: isPerson ? drawnBirthDate(draw, draw() < 0.03) : null,
    email: draw() < 0.85 ? mailOf(draw, name) : null,
    phone_number: draw() < 0.9 ? drawnPhone(draw) : null,
    address: draw() < 0.6 ? drawnAddress(draw) : null,
  };
}
