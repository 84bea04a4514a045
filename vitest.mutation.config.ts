import { defineConfig, mergeConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import config from './vitest.config.js'

/**
 * What runs against each mutant: tests in this process, the quick rooms first, since the first test that fails ends the
 * run. Tests that start processes and databases see no mutant, and those with generated inputs would take days.
 * `MUTATION_TESTS` takes fewer files, by their names without `.test.ts`, separated by commas.
 */
const ROOMS = ['core', 'api-key', 'http', 'verifier', 'token']
const NAMES = process.env.MUTATION_TESTS?.split(',') ?? ['*']

class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => ROOMS.findIndex((room) => moduleId.includes(`/test/${room}/`))
    return files.toSorted((a, b) => place(a) - place(b))
  }
}

const include = ROOMS.flatMap((room) => NAMES.map((name) => `test/${room}/**/${name}.test.ts`))

export default mergeConfig(
  { ...config, test: { ...config.test, include } },
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
    test: {
      // What a mutant makes wait has failed.
      testTimeout: 10_000,
      hookTimeout: 10_000,
      sequence: { sequencer: QuickFirst },
      env: { WITHOUT_POSTGRES: 'true' },
    },
  }),
)
