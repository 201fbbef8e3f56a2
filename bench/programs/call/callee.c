/* SPDX-License-Identifier: MIT */
long callee(long x);

long
callee(long x)
{
	return x + 1;
}
