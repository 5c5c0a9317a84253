import { isIP } from 'node:net';
import type { DeliveryOptions } from '../options.js';
import { type Check, type Complete, checked, complete, flag, list, whole } from './checks.js';

export type DeliverySettings = Complete<DeliveryOptions, 'ca'>;

/** What decides where messages may go, as {@link DeliveryOptions} has it. */
export type OutgoingOptions = Pick<
  DeliveryOptions,
  'allowedAddresses' | 'allowedPorts' | 'allowLoopback' | 'ca'
>;

const DEFAULTS: DeliverySettings = {
  worker: true,
  attempts: 20,
  notifyExpiry: false,
  allowedAddresses: [],
  allowedPorts: [443],
  allowLoopback: false,
  ca: undefined,
};

const CHECKS: Readonly<Record<keyof DeliveryOptions, Check>> = {
  worker: flag,
  attempts: whole(1, 100),
  notifyExpiry: flag,
  allowedAddresses: list(isAddressRange, 'must be a list of addresses and ranges such as 10.1.0.0/16'),
  allowedPorts: (value) =>
    value === 'any'
      ? undefined
      : list((port) => whole(1, 65_535)(port) === undefined, "must be a list of ports, or 'any'")(value),
  allowLoopback: flag,
  ca: (value) => {
    const pem = (one: unknown): boolean =>
      typeof one === 'string' && one.includes('-----BEGIN CERTIFICATE-----');
    return pem(value) ? undefined : list(pem, 'must be a certificate in PEM form, or a list of them')(value);
  },
};

export const deliverySettings = (options: DeliveryOptions | undefined): DeliverySettings =>
  complete('delivery', options, DEFAULTS, CHECKS);

/**
 * The rules for a channel's messages, checked, with the defaults of `delivery`; other options of the channel are left alone.
 * @throws {CibaError} `invalid_option`, naming the option
 */
export function outgoingSettings(channel: string, options: OutgoingOptions): Complete<OutgoingOptions, 'ca'> {
  const { allowedAddresses, allowedPorts, allowLoopback, ca } = options;
  const given = { allowedAddresses, allowedPorts, allowLoopback, ca };
  const {
    worker: _,
    attempts: __,
    notifyExpiry: ___,
    ...rules
  } = {
    ...DEFAULTS,
    ...checked(given, CHECKS, `${channel}.`),
  };
  return rules;
}

function isAddressRange(value: unknown): boolean {
  const [, address = '', bits] = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i.exec(String(value)) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(bits ?? 0) <= (version === 4 ? 32 : 128);
}
