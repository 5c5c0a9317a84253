// TypeScript is only stripped here (swc); `npm run typecheck` is where types are checked.
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/spec/**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }] },
  moduleNameMapper: {
    '^oidc-provider-ciba$': '<rootDir>/lib/index.ts',
    '^oidc-provider-ciba/telemetry$': '<rootDir>/lib/telemetry.ts',
    '^oidc-provider-ciba/channels/(.*)$': '<rootDir>/lib/channels/$1.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  testTimeout: 120_000,
  maxWorkers: 2,
  reporters: ['default', '<rootDir>/tools/requirements-reporter.mjs'],
};
