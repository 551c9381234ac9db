/* bo.h - numbers to bytes in network order, and back; given. */
#ifndef BO_H
#define BO_H

#include <stdint.h>

/* Put V at P, the highest byte first.  P may be any address. */
void put_be16(unsigned char *p, uint16_t v);
void put_be32(unsigned char *p, uint32_t v);
void put_be64(unsigned char *p, uint64_t v);

/* Return the number whose bytes lie at P, the highest first. */
uint16_t get_be16(const unsigned char *p);
uint32_t get_be32(const unsigned char *p);
uint64_t get_be64(const unsigned char *p);

/* The same, for a number that may be negative, in two's complement. */
int32_t get_be32s(const unsigned char *p);

/* What htons and so on do, made of the functions above. */
uint16_t my_htons(uint16_t host);
uint32_t my_htonl(uint32_t host);
uint16_t my_ntohs(uint16_t net);
uint32_t my_ntohl(uint32_t net);

#endif
