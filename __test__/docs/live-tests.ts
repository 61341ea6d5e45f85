/** Whether a test of a name is there and runs: not left out, not ignored, not merely mentioned. */
import ts from 'typescript';

/** Words behind `it`, `test` and `describe` by which what they name does not run, or not everywhere. */
const LEFT_OUT = new Set(['skip', 'skipIf', 'runIf', 'todo', 'fails']);

/** A `#[test]` or `#[tokio::test]` of this name that is not ignored. */
export function isLiveRustTest(text: string, name: string): boolean {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => new RegExp(`^\\s*(?:async )?fn ${name}\\(`).test(line));
  if (at < 0) return false;
  const above = lines.slice(0, at).map((line) => line.trim());
  const attributes = above.slice(above.findLastIndex((line) => !/^(?:#\[|\/\/\/)/.test(line)) + 1);
  const isTest = attributes.some((line) => /^#\[(?:tokio::)?test\b/.test(line));
  return isTest && !attributes.some((line) => line.startsWith('#[ignore'));
}

/** A test that runs, whose title, behind those of the groups around it, holds this text. */
export function isLiveTypeScriptTest(text: string, name: string): boolean {
  const source = ts.createSourceFile('test.ts', text, ts.ScriptTarget.Latest);
  const isIn = (node: ts.Node, groups: string): boolean => {
    const call = ts.isCallExpression(node) ? wordsOf(node.expression) : [];
    const [word, ...modifiers] = call;
    if (!ts.isCallExpression(node) || word === undefined || !['it', 'test', 'describe'].includes(word)) {
      return ts.forEachChild(node, (child) => isIn(child, groups)) ?? false;
    }
    if (modifiers.some((modifier) => LEFT_OUT.has(modifier))) return false;
    const [title] = node.arguments;
    const titles = `${groups} ${title !== undefined && ts.isStringLiteralLike(title) ? title.text : ''}`;
    if (word !== 'describe') return titles.includes(name);
    return node.arguments.some((argument) => isIn(argument, titles));
  };
  return isIn(source, '');
}

/** `it.each(rows)` is `['it', 'each']`. */
function wordsOf(callee: ts.Expression): string[] {
  if (ts.isIdentifier(callee)) return [callee.text];
  if (ts.isPropertyAccessExpression(callee)) return [...wordsOf(callee.expression), callee.name.text];
  return ts.isCallExpression(callee) ? wordsOf(callee.expression) : [];
}
