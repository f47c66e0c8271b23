import ipaddr from 'ipaddr.js';

/** An exception to the guard: a host name or an address range, with or without a port. */
type AllowRule = { readonly port: number | null } & (
  | { readonly kind: 'host'; readonly host: string }
  | { readonly kind: 'range'; readonly range: [ipaddr.IPv4 | ipaddr.IPv6, number] }
);

/** Targets that outbound requests may reach although the guard would refuse them (`OUTBOUND_ALLOW`). */
type OutboundAllowList = {
  /** True when this host is allowed by name for this port; then every address of it is accepted. */
  readonly allowsHost: (host: string, port: number) => boolean;
  /** True when this address is in an allowed range for this port. */
  readonly allowsAddress: (address: string, port: number) => boolean;
};

/** Globally routable addresses that are services inside a cloud, such as its metadata service. */
const cloudServiceAddresses: readonly string[] = ['168.63.129.16'];

/** The one IPv6 block that holds global unicast addresses (RFC 4291 §2.4, IANA registry). */
const globalUnicastV6: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/**
 * True for an address of the public Internet. Every special-purpose address is refused: private, loopback, link-local
 * (which includes metadata services), carrier-grade NAT, unique local, and every IPv6 form that embeds an IPv4 address
 * (mapped, compatible, NAT64, 6to4, Teredo, ISATAP).
 *
 * @param address a literal in canonical form, as a resolver or the URL parser gives it; anything else is refused.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) {
    return false;
  }
  const parsed = ipaddr.parse(address);
  if (cloudServiceAddresses.includes(parsed.toString()) || parsed.range() !== 'unicast') {
    return false;
  }
  if (parsed.kind() === 'ipv4') {
    return true;
  }
  const v6 = ipaddr.IPv6.parse(address);
  return v6.match(globalUnicastV6) && v6.zoneId === undefined && !isIsatap(v6);
}

/** ISATAP embeds an IPv4 address after the interface identifier `[02]00:5efe` (RFC 5214 §6.1). */
function isIsatap(address: ipaddr.IPv6): boolean {
  const [high, low] = address.parts.slice(4, 6);
  return low === 0x5efe && (high === 0 || high === 0x0200);
}

/**
 * Parses entries of the forms `host`, `host:port`, `10.0.0.0/8`, `10.0.0.0/8:8080`, `[::1]/128`, `127.0.0.1`.
 *
 * @throws Error that names the entry when one has no such form.
 */
export function parseAllowList(entries: readonly string[]): OutboundAllowList {
  const rules = entries.map(parseRule);
  return {
    allowsHost: (host, port) =>
      rules.some((rule) => rule.kind === 'host' && rule.host === canonicalHost(host) && fitsPort(rule, port)),
    allowsAddress(address, port) {
      if (!ipaddr.isValid(address)) {
        return false;
      }
      const parsed = ipaddr.parse(address);
      return rules.some(
        (rule) =>
          rule.kind === 'range' &&
          rule.range[0].kind() === parsed.kind() &&
          parsed.match(rule.range) &&
          fitsPort(rule, port),
      );
    },
  };
}

/** A host name in lower case and without a final dot, so that each host has one spelling. */
export function canonicalHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}

function fitsPort(rule: AllowRule, port: number): boolean {
  return rule.port === null || rule.port === port;
}

function parseRule(entry: string): AllowRule {
  const form = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<name>[^\s:/[\]]+))(?:\/(?<bits>\d{1,3}))?(?::(?<port>\d{1,5}))?$/i.exec(
    entry.trim(),
  );
  // Without brackets a colon of an IPv6 range could be that of a port.
  if (form?.groups === undefined) {
    if (ipaddr.IPv6.isValidCIDR(entry)) {
      return { kind: 'range', range: ipaddr.IPv6.parseCIDR(entry), port: null };
    }
    if (ipaddr.IPv6.isValid(entry)) {
      return { kind: 'range', range: [ipaddr.IPv6.parse(entry), 128], port: null };
    }
    throw new Error(`OUTBOUND_ALLOW: "${entry}" is neither a host nor an address range`);
  }
  const { v6, name = '', bits, port: portText } = form.groups;
  const port = portText === undefined ? null : Number(portText);
  const address = v6 ?? name;
  if (v6 !== undefined || ipaddr.IPv4.isValidFourPartDecimal(address)) {
    const parsed = ipaddr.parse(address);
    const wholeAddress = parsed.kind() === 'ipv4' ? 32 : 128;
    return { kind: 'range', range: [parsed, bits === undefined ? wholeAddress : Number(bits)], port };
  }
  if (bits !== undefined) {
    throw new Error(`OUTBOUND_ALLOW: "${entry}" is neither a host nor an address range`);
  }
  return { kind: 'host', host: canonicalHost(name), port };
}
