import type { z } from 'zod';

/** More problems than these help nobody and would make the answer larger than the request. */
const PROBLEMS_MAX = 50;
const PATH_CHARACTERS_MAX = 200;

export interface ValidationProblem {
  /** Property path joined by dots; empty for the whole. */
  path: string;
  message: string;
}

/** The problems of a failed parse, in their order, 50 at most; none repeats a value. */
export function describeIssues(issues: readonly z.core.$ZodIssue[]): ValidationProblem[] {
  return issues.flatMap(toProblems).slice(0, PROBLEMS_MAX);
}

/** All problems in one line. */
export function tellProblems(problems: readonly ValidationProblem[]): string {
  return problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
}

function toProblems(issue: z.core.$ZodIssue): ValidationProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: toPath([...issue.path, key]), message: 'is not a known property: leave it out' }));
  }
  return [{ path: toPath(issue.path), message: issue.message }];
}

function toPath(path: readonly PropertyKey[]): string {
  return path.map(String).join('.').slice(0, PATH_CHARACTERS_MAX).toWellFormed();
}
