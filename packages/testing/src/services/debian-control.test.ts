import { expect, test } from 'vitest';
import { parsePackages } from './debian-control.ts';

const TEXT = `Package: redis-tools
Status: install ok installed
Version: 5:7.0.15-1
Pre-Depends: init-system-helpers (>= 1.54~)
Depends: libc6 (>= 2.34), libjemalloc2 (>= 5.2.1) | libjemalloc3:any, adduser
Description: tools
 Depends: not a field

Package: libcurl4t64
Status: deinstall ok config-files
Provides: libcurl4 (= 8.0), libcurl

`;

test('dependencies are read with their alternatives, without versions', () => {
  expect(parsePackages(TEXT).get('redis-tools')).toEqual({
    dependencies: [['init-system-helpers'], ['libc6'], ['libjemalloc2', 'libjemalloc3'], ['adduser']],
    provides: [],
    isInstalled: true,
  });
});

test('a package of which only the configuration is left is not installed', () => {
  expect(parsePackages(TEXT).get('libcurl4t64')).toEqual({ dependencies: [], provides: ['libcurl4', 'libcurl'], isInstalled: false });
});
