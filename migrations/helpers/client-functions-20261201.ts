/** What of the functions is granted and dropped by name. */
export const clientSignatures = ['cpf_is_valid(text)', 'cnpj_is_valid(text)', 'folded(text)', 'name_words(text)', 'write_client_words()'];

const cpfDigit = (length: number) => {
  const products = Array.from({ length }, (_, place) => `substr(value, ${place + 1}, 1)::int * ${length + 1 - place}`);
  return `((${products.join(' + ')}) * 10) % 11 % 10 = substr(value, ${length + 1}, 1)::int`;
};

/** Weights run from 2 to 9 and begin again, from the right. A character counts as its place in ASCII less that of 0. */
const cnpjDigit = (length: number) => {
  const products = Array.from(
    { length },
    (_, place) => `(ascii(substr(value, ${place + 1}, 1)) - 48) * ${((length - 1 - place) % 8) + 2}`,
  );
  return `case when (${products.join(' + ')}) % 11 < 2 then 0 else 11 - (${products.join(' + ')}) % 11 end
      = substr(value, ${length + 1}, 1)::int`;
};

/**
 * The functions of client records. Frozen with the migration that creates them.
 *
 * The two checks are the rules of the library that the API uses (S4-16, S4-30): form, both check digits, no number of one repeated
 * digit, and not the CPF that runs through the digits, which every example shows. Of a null they say nothing. The first three have
 * no settings of their own, so that PostgreSQL puts them in line where a million rows are written.
 */
export const clientFunctions = [
  `create function cpf_is_valid(value text) returns boolean language sql immutable parallel safe
    as $$
      select case
        when value !~ '^[0-9]{11}$' or value ~ '^(.)\\1{10}$' or value = '12345678909' then false
        else ${cpfDigit(9)} and ${cpfDigit(10)}
      end
    $$`,
  `create function cnpj_is_valid(value text) returns boolean language sql immutable parallel safe
    as $$
      select case
        when value !~ '^[0-9A-Z]{12}[0-9]{2}$' or value ~ '^(.)\\1{13}$' then false
        else ${cnpjDigit(12)} and ${cnpjDigit(13)}
      end
    $$`,

  // Equal for equal words: without case, accents, compatibility forms and punctuation. Letters that Unicode does not take apart
  // are written as people do who lack them. The collation is PostgreSQL's own, the same on every machine.
  `create function folded(value text) returns text language sql immutable parallel safe
    as $$
      select btrim(regexp_replace(
        replace(replace(replace(translate(
          lower(regexp_replace(normalize(value, NFKD), '[\\u0300-\\u036f]', '', 'g') collate pg_catalog.pg_c_utf8),
          'øłđðħı', 'olddhi'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe') collate pg_catalog.pg_c_utf8,
        '[^[:alnum:]]+', ' ', 'g'))
    $$`,
  `create function name_words(value text) returns text[]
    language sql immutable parallel safe set search_path = ''
    as $$
      select coalesce(array_agg(distinct word), '{}') from regexp_split_to_table(public.folded(value), ' ') word where word <> ''
    $$`,

  // The words of a name are written by whatever writes the name, or deletes and restores its client.
  `create function write_client_words() returns trigger language plpgsql set search_path = ''
    as $$
    begin
      if tg_op = 'UPDATE' then
        delete from public.client_name_words w where w.tenant_id = new.tenant_id and w.client_id = new.id;
        insert into public.client_name_words (tenant_id, is_deleted, word, name, client_id, kind)
          select new.tenant_id, new.deleted_at is not null, word, new.sort_name, new.id, new.kind from unnest(public.name_words(new.name)) word
          where new.erased_at is null;
      else
        insert into public.client_name_words (tenant_id, is_deleted, word, name, client_id, kind)
          select n.tenant_id, n.deleted_at is not null, word, n.sort_name, n.id, n.kind
          from new_rows n cross join lateral unnest(public.name_words(n.name)) word
          where n.erased_at is null;
      end if;
      return null;
    end
    $$`,
];
