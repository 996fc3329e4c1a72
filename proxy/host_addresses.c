/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/host_addresses.h"

static bool contains(const struct client_address *list, size_t count,
    const struct client_address *address)
{
	for (size_t i = 0; i < count; i++)
		if (client_address_equals(
			&list[i], address->bytes, address->len))
			return true;
	return false;
}

void host_addresses_add(
    struct host_addresses *addresses, const struct client_address *address)
{
	if (addresses->count < HOST_ADDRESSES_MAX &&
	    !contains(addresses->list, addresses->count, address))
		addresses->list[addresses->count++] = *address;
}

static bool fill_first_free(struct client_address *of_slots, size_t slots,
    const struct client_address *address)
{
	for (size_t i = 0; i < slots; i++) {
		if (of_slots[i].len != 0)
			continue;
		of_slots[i] = *address;
		return true;
	}
	return false;
}

void host_addresses_assign(const struct host_addresses *found,
    struct client_address *of_slots, size_t slots)
{
	for (size_t i = 0; i < slots; i++)
		if (of_slots[i].len != 0 &&
		    !contains(found->list, found->count, &of_slots[i]))
			of_slots[i] = (struct client_address){0};
	for (size_t i = 0; i < found->count; i++)
		if (!contains(of_slots, slots, &found->list[i]) &&
		    !fill_first_free(of_slots, slots, &found->list[i]))
			break;
	for (size_t i = slots - 1; i > 0 && of_slots[0].len == 0; i--) {
		of_slots[0] = of_slots[i];
		of_slots[i] = (struct client_address){0};
	}
}
