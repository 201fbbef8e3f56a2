/* SPDX-License-Identifier: MIT */
int answer(int x);

int
answer(int x)
{
	return (x + 0) * 7 ^ x;
}
