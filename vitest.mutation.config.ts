import { defineConfig, mergeConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import config from './vitest.config.js'

/**
 * What runs against each mutant: tests in this process, the quick ones first, since the first that fails ends the run.
 * Tests that start processes and databases see no mutant, and those with very many cases would take days.
 * `MUTATION_TESTS` takes fewer of them, separated by commas.
 */
const TESTS = (
  process.env.MUTATION_TESTS ??
  'credentials,scope,cache,api-key,access-token,mount,token-revocation,telemetry,verifier,issuer'
).split(',')
const FILES = TESTS.map((name) => `test/${name}.test.ts`)

class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => FILES.findIndex((file) => moduleId.endsWith(file))
    return files.toSorted((a, b) => place(a) - place(b))
  }
}

export default mergeConfig(
  { ...config, test: { ...config.test, include: FILES } },
  defineConfig({
    plugins: [
      {
        name: 'in-a-process',
        configureVitest({ project }) {
          // Stryker asks for threads, and a test that changes the working directory needs a process.
          project.config.pool = 'forks'
        },
      },
    ],
    // What a mutant makes wait has failed.
    test: { testTimeout: 10_000, hookTimeout: 10_000, sequence: { sequencer: QuickFirst } },
  }),
)
