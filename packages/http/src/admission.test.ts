import { describe, expect, test } from 'vitest';
import { bytesToHold, createAdmission, type Shed } from './admission.ts';

describe('what is let in', () => {
  const start = (isLate = false) => createAdmission({ inFlightMax: 20, bytesMax: 1_000, isLate: () => isLate });
  /** How many enter before the first refusal, and its reason. */
  const fill = (admission: ReturnType<typeof start>, shed: Shed, bytes = 0) => {
    for (let count = 0; count < 100; count += 1) {
      const reason = admission.enter(shed, bytes);
      if (reason !== null) return [count, reason];
    }
    return 'all';
  };

  test('each class finds what the one before may not take, and health everything', () => {
    const admission = start();
    expect(fill(admission, 'bulk')).toEqual([10, 'in_flight']);
    expect(fill(admission, 'first')).toEqual([10, 'in_flight']);
    expect(fill(admission, 'last')).toEqual([20, 'in_flight']);
    expect(fill(admission, 'never')).toBe('all');
  });

  test('the same of bytes, and who brings none is not refused for them', () => {
    const admission = start();
    expect(fill(admission, 'bulk', 100)).toEqual([5, 'bytes']);
    expect(fill(admission, 'first', 100)).toEqual([5, 'bytes']);
    expect(fill(admission, 'last', 200)).toEqual([5, 'bytes']);
    expect(admission.enter('first', 0)).toBeNull();
  });

  test('who has left makes room', () => {
    const admission = start();
    fill(admission, 'first', 100);
    admission.leave(100);
    expect(fill(admission, 'first', 100)).toEqual([1, 'bytes']);
  });

  test('a flood of those who are refused takes no room from the others', () => {
    const admission = start();
    for (let count = 0; count < 100; count += 1) admission.enter('first', 10);
    expect(fill(admission, 'last')).toEqual([20, 'in_flight']);
  });

  test('a late event loop refuses producers once a tenth is under way, webhooks never', () => {
    const admission = start(true);
    expect(fill(admission, 'first')).toEqual([2, 'event_loop']);
    expect(fill(admission, 'bulk')).toEqual([0, 'event_loop']);
    expect(fill(admission, 'last')).toEqual([38, 'in_flight']);
  });
});

test.each([
  [{}, 0],
  [{ 'content-length': '700' }, 700],
  [{ 'content-length': '1001' }, 0],
  [{ 'transfer-encoding': 'chunked' }, 1_000],
])('a request with %j holds %d bytes of a limit of 1,000', (headers, bytes) => {
  expect(bytesToHold(headers, 1_000)).toBe(bytes);
});
