/* support.c - the functions that compilers call, and the end. */
#include "rv64.h"

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int __clzdi2(uint64_t value);
int __ctzdi2(uint64_t value);

void finish(int status)
{
    finish_with(status);
}

/* The empty statements keep compilers from making calls of these loops to the very functions they are in. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    size_t i;
    for (i = 0; i < bytes; i++) {
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
        __asm__ volatile("");
    }
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    size_t i;
    for (i = 0; i < bytes; i++) {
        ((uint8_t *)to)[i] = (uint8_t)value;
        __asm__ volatile("");
    }
    return to;
}

int __clzdi2(uint64_t value)
{
    int zeros = 0;
    for (; !(value >> 63); value <<= 1) zeros++;
    return zeros;
}

int __ctzdi2(uint64_t value)
{
    int zeros = 0;
    for (; !(value & 1); value >>= 1) zeros++;
    return zeros;
}
