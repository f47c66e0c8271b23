import { describe, expect, it } from '@jest/globals';
import { isPublicAddress, parseAllowList } from '../../../src/platform/outbound/address-guard.ts';

describe('public addresses', () => {
  it.each(['1.1.1.1', '8.8.8.8', '93.184.215.14', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450::1'])(
    'are ones like %s',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it.each([
    // this host, loopback, broadcast, multicast
    '0.0.0.0',
    '0.1.2.3',
    '127.0.0.1',
    '127.255.255.254',
    '255.255.255.255',
    '224.0.0.1',
    '239.255.255.250',
    // private, carrier-grade NAT, link-local with the metadata services
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '100.100.100.200',
    '169.254.169.254',
    '169.254.170.2',
    '192.0.0.192',
    '168.63.129.16',
    // documentation, benchmarking, reserved
    '192.0.2.1',
    '198.51.100.1',
    '203.0.113.1',
    '198.18.0.1',
    '240.0.0.1',
    // IPv6: unspecified, loopback, link-local, unique local, site-local, multicast, documentation, discard
    '::',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'fd00:ec2::254',
    'fc00::1',
    'fec0::1',
    'ff02::1',
    '2001:db8::1',
    '100::1',
    // an IPv4 address inside an IPv6 one: mapped, compatible, NAT64, translated, 6to4, Teredo, ISATAP
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::a00:1',
    '::ffff:0:127.0.0.1',
    '2002:7f00:1::',
    '2001:0:7f00:1::',
    '2a00:1450::5efe:127.0.0.1',
    '2a00:1450::200:5efe:a00:1',
    // other spellings, which a resolver never gives
    '0177.0.0.1',
    '0x7f.0.0.1',
    '2130706433',
    '127.1',
    '',
    'localhost',
    '127.0.0.1 ',
    '[::1]',
  ])('are not ones like %j', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('the allow-list', () => {
  const list = parseAllowList([
    'Hooks.Internal',
    'mail.internal:8443',
    '10.1.0.0/16',
    '127.0.0.1:9000',
    '[::1]:9000',
    'fd00::/8',
  ]);

  it.each([
    ['hooks.internal', 1, true],
    ['HOOKS.internal.', 443, true],
    ['evil.hooks.internal', 443, false],
    ['mail.internal', 8443, true],
    ['mail.internal', 443, false],
  ])('takes host %s port %i: %s', (host, port, expected) => {
    expect(list.allowsHost(host, port)).toBe(expected);
  });

  it.each([
    ['10.1.255.1', 80, true],
    ['10.2.0.1', 80, false],
    ['127.0.0.1', 9000, true],
    ['127.0.0.1', 9001, false],
    ['::1', 9000, true],
    ['::1', 9001, false],
    ['fd12::1', 1, true],
    ['::ffff:10.1.0.1', 80, false],
    ['not an address', 80, false],
  ])('takes address %s port %i: %s', (address, port, expected) => {
    expect(list.allowsAddress(address, port)).toBe(expected);
  });

  it.each(['', 'a b', 'host/8', 'http://host', '10.0.0.0/8/8'])('refuses the entry %j by name', (entry) => {
    expect(() => parseAllowList([entry])).toThrow('OUTBOUND_ALLOW');
  });
});
