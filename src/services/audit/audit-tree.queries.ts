import { MerkleFrontier, alignedSubtrees, consistencyRanges, foldSubtrees, inclusionRanges } from '../../domain/audit/audit-merkle.ts';
import type { LeafRange, Subtree } from '../../domain/audit/audit-merkle.ts';
import { sha256 } from '../../platform/audit/audit-hash.ts';
import { rawQuery } from '../../platform/database/raw-sql.ts';
import { readAll } from '../../platform/database/read.ts';
import type { ReadConnections } from '../../platform/database/read.ts';
import { chainScope } from './audit-chain.queries.ts';

/** Inner nodes are stored at every eighth level only; a tile is 256 neighbours of one stored level. */
const levelsPerTile = 8;
const tileWidth = 2 ** levelsPerTile;
const hashBytes = 32;

/** Whether nodes of this level are stored in `audit_tree_nodes`; leaves are the entry hashes of the rows. */
export function isKeptLevel(level: number): boolean {
  return level > 0 && level % levelsPerTile === 0;
}

/** A tile by its level and number: 256 hashes, fewer at the right edge of the tree. */
interface Tile {
  readonly level: number;
  readonly tile: number;
}

/**
 * Hashes of complete subtrees of a chain's Merkle tree, for any number of them in one round trip. Each is computed from
 * at most 128 hashes of a stored level, so a proof costs the same in a tree of a thousand leaves and of a billion.
 *
 * The subtrees must lie within what a checkpoint covers: no inner nodes are stored beyond.
 */
export async function subtreeHashes(db: ReadConnections, chainId: string, subtrees: readonly Subtree[]): Promise<Uint8Array[]> {
  if (subtrees.length === 0) return [];
  const tiles = await readTiles(db, chainId, subtrees.map(tileOf));
  return subtrees.map((subtree) => {
    const tile = tileOf(subtree);
    const hashes = tiles.get(`${tile.level}/${tile.tile}`) ?? Buffer.alloc(0);
    const width = 2 ** (subtree.level - tile.level);
    const first = subtree.index * width - tile.tile * tileWidth;
    const level = Array.from({ length: width }, (_, place) => hashAt(hashes, first + place));
    return fold(level);
  });
}

/** Resolves the ranges of a proof to its hashes. */
async function proofHashes(db: ReadConnections, chainId: string, ranges: readonly LeafRange[]): Promise<Uint8Array[]> {
  const parts = ranges.map(alignedSubtrees);
  const hashes = await subtreeHashes(db, chainId, parts.flat());
  return parts.map((subtrees) => foldSubtrees(sha256, hashes.splice(0, subtrees.length)));
}

/** Proves that the row `seq` is in the tree of the first `size` rows (RFC 6962 §2.1.1). */
export function inclusionProof(db: ReadConnections, chainId: string, seq: number, size: number): Promise<Uint8Array[]> {
  return proofHashes(db, chainId, inclusionRanges(seq - 1, size));
}

/** Proves that the tree of `first` rows is the beginning of that of `second` (RFC 6962 §2.1.2). */
export function consistencyProof(db: ReadConnections, chainId: string, first: number, second: number): Promise<Uint8Array[]> {
  return proofHashes(db, chainId, consistencyRanges(first, second));
}

function tileOf({ level, index }: Subtree): Tile {
  const kept = level - (level % levelsPerTile);
  return { level: kept, tile: Math.floor((index * 2 ** (level - kept)) / tileWidth) };
}

async function readTiles(db: ReadConnections, chainId: string, wanted: readonly Tile[]): Promise<Map<string, Buffer>> {
  const leaves = [...new Set(wanted.filter(({ level }) => level === 0).map(({ tile }) => tile))];
  const inner = [...new Map(wanted.filter(({ level }) => level > 0).map((tile) => [`${tile.level}/${tile.tile}`, tile])).values()];
  const queries = [leafTilesQuery(chainId, leaves), innerTilesQuery(chainId, inner)] as const;
  const rows = (await readAll(db, chainScope(chainId), queries)).flat();
  return new Map(rows.map(({ level, tile, hashes }) => [`${level}/${tile}`, hashes ?? Buffer.alloc(0)]));
}

type TileRow = Tile & { readonly hashes: Buffer | null };

/** LATERAL, so that each tile is one short scan of the primary key whatever the planner estimates. */
function leafTilesQuery(chainId: string, tiles: readonly number[]) {
  const text = `select 0 as level, t.tile, l.hashes
    from unnest($2::bigint[]) as t(tile),
      lateral (
        select string_agg(entry_hash, '' order by seq) as hashes from audit_logs
        where chain_id = $1 and seq > t.tile * ${tileWidth} and seq <= (t.tile + 1) * ${tileWidth}
      ) l`;
  return rawQuery<TileRow>(text, [chainId, tiles]);
}

function innerTilesQuery(chainId: string, tiles: readonly Tile[]) {
  const text = `select t.level, t.tile, n.hashes
    from unnest($2::int[], $3::bigint[]) as t(level, tile),
      lateral (
        select string_agg(hash, '' order by index) as hashes from audit_tree_nodes
        where chain_id = $1 and level = t.level and index >= t.tile * ${tileWidth} and index < (t.tile + 1) * ${tileWidth}
      ) n`;
  const values = [chainId, tiles.map(({ level }) => level), tiles.map(({ tile }) => tile)];
  return rawQuery<TileRow>(text, values);
}

function hashAt(hashes: Buffer, place: number): Uint8Array {
  const hash = hashes.subarray(place * hashBytes, (place + 1) * hashBytes);
  if (hash.length !== hashBytes) throw new Error('A node of the audit tree is missing; take a checkpoint first.');
  return hash;
}

/** Root over a power of two of neighbours. */
function fold(level: readonly Uint8Array[]): Uint8Array {
  const frontier = new MerkleFrontier(sha256);
  for (const hash of level) frontier.append(hash);
  return frontier.root();
}
