import { describe, expect, test } from 'vitest';
import { createCallbackTargets, isLoopback } from './callback-targets.ts';

describe('refusalOf', () => {
  const targets = createCallbackTargets('http://ingress:3000');

  test.each([
    'http://127.0.0.1:3000/x',
    'http://localhost/x?m=1#rc=5',
    'http://[::1]:3000/',
    'https://127.9.9.9/',
    'http://ingress:8080/hook',
  ])('%s may be called', (url) => {
    expect(targets.refusalOf(url)).toBeNull();
  });

  test.each([
    ['https://example.com/hook', /loopback/],
    ['http://10.0.0.7/hook', /loopback/],
    ['http://127.0.0.1.example.com/', /loopback/],
    ['http://ingress.example.com/', /loopback/],
    ['http://[::ffff:10.0.0.1]/', /loopback/],
    ['http://my_host/', /underscores/],
    ['ftp://127.0.0.1/', /http:\/\//],
    ['/webhooks', /absolute/],
    ['', /absolute/],
  ])('%s is refused with a reason', (url, reason) => {
    expect(targets.refusalOf(url)).toMatch(reason);
  });
});

describe('isLoopback', () => {
  test.each([
    ['127.0.0.1', true],
    ['::ffff:127.0.0.1', true],
    ['::1', true],
    ['192.168.0.1', false],
    ['::ffff:192.168.0.1', false],
    ['', false],
  ])('%s: %s', (address, expected) => {
    expect(isLoopback(address)).toBe(expected);
  });
});
