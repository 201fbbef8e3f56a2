/* SPDX-License-Identifier: MIT */
/* In a shared library of its own. */
long distant(long x);

long
distant(long x)
{
	return x + 1;
}
